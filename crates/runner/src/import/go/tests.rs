use super::ast::{BlockKind, Node, TermKind};
use super::parse;

fn only(text: &str) -> Node {
    let mut nodes = parse(text).unwrap();
    assert_eq!(nodes.len(), 1, "{nodes:?}");
    nodes.remove(0)
}

fn first_term(text: &str) -> TermKind {
    let Node::Output { mut pipeline, .. } = only(text) else {
        panic!("{text}");
    };
    pipeline.commands.remove(0).remove(0).kind
}

#[test]
fn literals_have_their_values() {
    let text = |text: &str| TermKind::Text(text.to_owned());
    for (template, expected) in [
        (r#"{{ "a\n\"\u00e9\x41\101" }}"#, text("a\n\"éAA")),
        ("{{ `a\\n}}` }}", text("a\\n}}")),
        ("{{ 'a' }}", TermKind::Integer(97)),
        ("{{ -0x1F }}", TermKind::Integer(-31)),
        ("{{ 1_000 }}", TermKind::Integer(1000)),
        ("{{ 017 }}", TermKind::Integer(15)),
        ("{{ 1e3 }}", TermKind::Float("1000.0".to_owned())),
        ("{{ .5 }}", TermKind::Float("0.5".to_owned())),
        ("{{ true }}", TermKind::Bool(true)),
        ("{{ nil }}", TermKind::Nil),
        ("{{.}}", TermKind::Dot),
        ("{{$}}", TermKind::Variable(String::new())),
    ] {
        assert_eq!(first_term(template), expected, "{template}");
    }
}

#[test]
fn chains_end_where_white_space_begins() {
    let Node::Output { pipeline, .. } = only("{{ f .a.b .c $x.d ($y | g).e }}") else {
        panic!();
    };
    let chains: Vec<Vec<String>> = pipeline.commands[0]
        .iter()
        .map(|it| it.chain.clone())
        .collect();
    assert_eq!(
        chains,
        [vec![], vec!["a", "b"], vec!["c"], vec!["d"], vec!["e"]]
    );
}

#[test]
fn trims_are_seen_only_with_white_space() {
    for (template, left, right) in [
        ("{{- 1 -}}", true, true),
        ("{{-1}}", false, false),
        ("{{ 1 }}", false, false),
        ("{{-\n1\n-}}", true, true),
        ("{{- /* note */ -}}", true, true),
        ("{{/* note */}}", false, false),
    ] {
        let (Node::Output { action, .. } | Node::Comment { action, .. }) = only(template) else {
            panic!("{template}");
        };
        assert_eq!(
            (action.trims_left, action.trims_right),
            (left, right),
            "{template}"
        );
        assert_eq!(action.span, 0..template.len());
    }
}

#[test]
fn blocks_have_arms() {
    let template = "{{ if .a }}1{{ else if $b := .c }}2{{ else }}3{{ end }}";
    let Node::Block(block) = only(template) else {
        panic!();
    };
    assert_eq!(block.kind, BlockKind::If);
    assert_eq!(block.arms.len(), 2);
    assert_eq!(block.arms[1].variables, ["b"]);
    assert!(block.otherwise.is_some());
    assert_eq!(block.span(), 0..template.len());

    let Node::Block(block) = only("{{ range $k, $v := .m }}{{ end }}") else {
        panic!();
    };
    assert_eq!(
        (block.kind, block.arms[0].variables.len()),
        (BlockKind::Range, 2)
    );
}

#[test]
fn what_has_no_counterpart_is_one_piece() {
    let template = r#"{{ define "a" }}{{ if . }}x{{ end }}{{ end }}"#;
    let Node::Other { keyword, span, .. } = only(template) else {
        panic!();
    };
    assert_eq!((&*keyword, span), ("define", 0..template.len()));
}

#[test]
fn faults_are_told_where_they_are() {
    for (template, at, said) in [
        ("a {{ .b", 2, "}}"),
        ("{{ if .a }}", 0, "end"),
        ("x{{ end }}", 1, "nothing is open"),
        ("{{ \"a }}", 3, "quote"),
        ("{{ (.a }}", 3, "`)`"),
        ("{{ .a | }}", 0, "value is missing"),
        ("{{ if }}{{ end }}", 0, "value is missing"),
        ("{{ ; }}", 3, "no meaning"),
        ("{{ 1x }}", 3, "no number"),
        ("{{ if .a }}{{ else }}{{ else }}{{ end }}", 21, "before"),
        ("{{/* a }}", 0, "*/"),
        ("{{ .a = 1 }}", 3, "only variables"),
    ] {
        let trouble = parse(template).unwrap_err();
        assert_eq!(trouble.span.start, at, "{template}: {trouble:?}");
        assert!(trouble.advice.contains(said), "{template}: {trouble:?}");
    }
}
