//! Expressions as this project writes them: minijinja's.

/// What is known of a value before it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Float,
    Bool,
    /// A text or a whole number: what is printed alike everywhere.
    Plain,
    List,
    Map,
    /// A list of `Plain`.
    PlainList,
    /// A map to `Plain`.
    PlainMap,
    Null,
    Unknown,
}

impl Kind {
    /// What is known if it is one or the other.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            _ if self == other => self,
            _ if self.is_plain() && other.is_plain() => Self::Plain,
            _ if self.is_list() && other.is_list() => Self::List,
            _ if self.is_map() && other.is_map() => Self::Map,
            _ => Self::Unknown,
        }
    }

    /// It is printed here as Go prints it.
    pub(super) fn is_plain(self) -> bool {
        matches!(self, Self::Text | Self::Integer | Self::Plain)
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::List | Self::PlainList)
    }

    pub(super) fn is_map(self) -> bool {
        matches!(self, Self::Map | Self::PlainMap)
    }

    /// Of what is in it.
    pub(super) fn element(self) -> Self {
        if matches!(self, Self::PlainList | Self::PlainMap) {
            Self::Plain
        } else {
            Self::Unknown
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Text(String),
    Integer(i64),
    /// In digits.
    Float(String),
    Bool(bool),
    Null,
    /// A name that a template sees.
    Name(String, Kind),
    /// What a variable of the config holds at some point.
    Version(usize, Kind),
    Attribute(Box<Expr>, String),
    Item(Box<Expr>, Box<Expr>),
    /// From the first to before the second, in characters; negative from the end.
    Slice(Box<Expr>, Option<i64>, Option<i64>),
    Filter(Box<Expr>, &'static str, Vec<Expr>, Kind),
    /// A filter's argument by name.
    Named(&'static str, Box<Expr>),
    Test(Box<Expr>, &'static str, Vec<Expr>),
    Binary(Box<Expr>, Operator, Box<Expr>),
    Not(Box<Expr>),
    /// Then, test, otherwise.
    Choice(Box<[Expr; 3]>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Call(&'static str, Vec<Expr>, Kind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Plus,
    Minus,
    Concat,
    Times,
    FloorDivide,
    Remainder,
}

/// Which quotes texts have: suites put expressions between double ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Single,
    Double,
}

impl Expr {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn filter(self, name: &'static str, arguments: Vec<Self>, kind: Kind) -> Self {
        Self::Filter(Box::new(self), name, arguments, kind)
    }

    pub(super) fn test(self, name: &'static str, arguments: Vec<Self>) -> Self {
        Self::Test(Box::new(self), name, arguments)
    }

    pub(super) fn binary(self, operator: Operator, other: Self) -> Self {
        Self::Binary(Box::new(self), operator, Box::new(other))
    }

    pub(super) fn choice(then: Self, test: Self, otherwise: Self) -> Self {
        Self::Choice(Box::new([then, test, otherwise]))
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            Self::Bool(value) => Self::Bool(!value),
            other => Self::Not(Box::new(other)),
        }
    }

    /// As text, as a template prints it.
    pub(super) fn into_text(self) -> Self {
        match self {
            Self::Integer(value) => Self::Text(value.to_string()),
            Self::Bool(value) => Self::Text(value.to_string()),
            other => match other.kind() {
                Kind::Text => other,
                kind if kind.is_plain() => other.filter("string", Vec::new(), Kind::Text),
                // Booleans would be printed with a capital letter.
                Kind::Bool => other.filter("lower", Vec::new(), Kind::Text),
                _ => Self::choice(
                    other.clone().filter("lower", Vec::new(), Kind::Text),
                    other.clone().test("boolean", Vec::new()),
                    other.filter("string", Vec::new(), Kind::Text),
                ),
            },
        }
    }

    /// As it can be put into a text.
    pub(super) fn printable(self) -> Self {
        if self.kind().is_plain() {
            self
        } else {
            self.into_text()
        }
    }

    /// As a whole number.
    pub(super) fn into_integer(self) -> Self {
        match self {
            Self::Text(text) => match text.parse() {
                Ok(value) => Self::Integer(value),
                Err(_) => Self::Text(text).filter("int", Vec::new(), Kind::Integer),
            },
            other if other.kind() == Kind::Integer => other,
            other => other.filter("int", Vec::new(), Kind::Integer),
        }
    }

    /// All of them, one behind the other.
    pub(super) fn concat(parts: Vec<Self>) -> Self {
        let mut merged: Vec<Self> = Vec::new();
        for part in parts {
            let part = match part {
                Self::Integer(value) => Self::Text(value.to_string()),
                other => other.printable(),
            };
            match (merged.last_mut(), part) {
                (Some(Self::Text(before)), Self::Text(text)) => before.push_str(&text),
                (_, part) => merged.push(part),
            }
        }
        merged.retain(|part| *part != Self::text(""));
        if merged.len() <= 1 {
            return merged.pop().map_or_else(|| Self::text(""), Self::into_text);
        }
        let joined = merged
            .into_iter()
            .reduce(|before, part| before.binary(Operator::Concat, part));
        joined.unwrap_or(Self::Null)
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Text(_) | Self::Slice(..) => Kind::Text,
            Self::Integer(_) => Kind::Integer,
            Self::Float(_) => Kind::Float,
            Self::Null => Kind::Null,
            Self::Name(_, kind)
            | Self::Version(_, kind)
            | Self::Filter(_, _, _, kind)
            | Self::Call(_, _, kind) => *kind,
            Self::Attribute(of, _) | Self::Item(of, _) => of.kind().element(),
            Self::Named(..) => Kind::Unknown,
            Self::Bool(_) | Self::Test(..) | Self::Not(_) => Kind::Bool,
            Self::Binary(left, operator, right) => match operator {
                Operator::Or | Operator::And => left.kind().or(right.kind()),
                Operator::Concat => Kind::Text,
                Operator::Plus
                | Operator::Minus
                | Operator::Times
                | Operator::FloorDivide
                | Operator::Remainder => Kind::Integer,
                _ => Kind::Bool,
            },
            Self::Choice(parts) => {
                let [then, _, otherwise] = &**parts;
                then.kind().or(otherwise.kind())
            }
            Self::List(items) if items.iter().all(|it| it.kind().is_plain()) => Kind::PlainList,
            Self::List(_) => Kind::List,
            Self::Map(members) if members.iter().all(|(_, it)| it.kind().is_plain()) => {
                Kind::PlainMap
            }
            Self::Map(_) => Kind::Map,
        }
    }

    /// The same with something else at each version of a variable.
    pub(super) fn replaced(&self, with: &mut dyn FnMut(usize, Kind) -> Self) -> Self {
        let mut all = |parts: &[Self]| parts.iter().map(|it| it.replaced(with)).collect::<Vec<_>>();
        match self {
            Self::Version(version, kind) => with(*version, *kind),
            Self::Attribute(of, name) => Self::Attribute(Box::new(of.replaced(with)), name.clone()),
            Self::Item(of, key) => {
                Self::Item(Box::new(of.replaced(with)), Box::new(key.replaced(with)))
            }
            Self::Slice(of, from, to) => Self::Slice(Box::new(of.replaced(with)), *from, *to),
            Self::Filter(of, name, arguments, kind) => {
                let arguments = all(arguments);
                Self::Filter(Box::new(of.replaced(with)), name, arguments, *kind)
            }
            Self::Named(name, value) => Self::Named(name, Box::new(value.replaced(with))),
            Self::Test(of, name, arguments) => {
                let arguments = all(arguments);
                Self::Test(Box::new(of.replaced(with)), name, arguments)
            }
            Self::Binary(left, operator, right) => Self::Binary(
                Box::new(left.replaced(with)),
                *operator,
                Box::new(right.replaced(with)),
            ),
            Self::Not(inner) => Self::Not(Box::new(inner.replaced(with))),
            Self::Choice(parts) => {
                let [then, test, otherwise] = &**parts;
                Self::choice(
                    then.replaced(with),
                    test.replaced(with),
                    otherwise.replaced(with),
                )
            }
            Self::List(items) => Self::List(all(items)),
            Self::Map(members) => {
                let members = members
                    .iter()
                    .map(|(key, value)| (key.replaced(with), value.replaced(with)));
                Self::Map(members.collect())
            }
            Self::Call(name, arguments, kind) => Self::Call(name, all(arguments), *kind),
            Self::Text(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Bool(_)
            | Self::Null
            | Self::Name(..) => self.clone(),
        }
    }
}

/// A name that can stand behind a dot.
pub(super) fn is_name(text: &str) -> bool {
    let first = text
        .bytes()
        .next()
        .is_some_and(|it| it.is_ascii_alphabetic() || it == b'_');
    first
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'_')
}
