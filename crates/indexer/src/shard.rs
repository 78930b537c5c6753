//! A share of an archive, for several pods that work on it at once.

use std::path::Path;
use std::str::FromStr;

use uuid::Uuid;

use crate::files::Named;

/// Which share of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim()
                .parse::<u32>()
                .map_err(|_| format!("`{text}` is no number"))
        };
        let (index, of) = if let Some((index, of)) = text.split_once('/') {
            (number(index)?, number(of)?)
        } else {
            let index = std::env::var("JOB_COMPLETION_INDEX")
                .map_err(|_| "JOB_COMPLETION_INDEX is not set; give I/N".to_owned())?;
            (number(&index)?, number(text)?)
        };
        if index < of {
            Ok(Self { index, of })
        } else {
            Err(format!(
                "there is no share {index} of {of}; they count from 0"
            ))
        }
    }
}

impl Shard {
    /// Whether a report is of this share. It goes by the name alone, so that every pod splits an
    /// archive in the same way, whatever it finds beside it.
    pub(crate) fn has(self, report: &Named) -> bool {
        let name = match report {
            Named::StandardInput => Path::new("-"),
            Named::File(path) => path.as_path(),
        };
        let digest = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_os_str().as_encoded_bytes());
        digest.as_u128() % u128::from(self.of) == u128::from(self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_report_is_in_one_share() {
        let shards: Vec<Shard> = (0..4).map(|index| Shard { index, of: 4 }).collect();
        let mut sizes = [0; 4];
        for number in 0..1000 {
            let report = Named::File(format!("archive/{number}.json").into());
            let of: Vec<usize> = (0..4).filter(|index| shards[*index].has(&report)).collect();
            assert_eq!(of.len(), 1);
            sizes[of[0]] += 1;
        }
        assert!(sizes.iter().all(|size| *size > 200), "{sizes:?}");
    }

    #[test]
    fn shares_count_from_0() {
        assert_eq!("1/2".parse(), Ok(Shard { index: 1, of: 2 }));
        assert!("2/2".parse::<Shard>().unwrap_err().contains("from 0"));
        assert!("x/2".parse::<Shard>().is_err());
    }
}
