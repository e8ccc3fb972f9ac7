//! `intermission store`: the keys that kept forms are sealed with.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use super::{Fault, Reach, table};

const KEYS: &str = "/api/v1/store/keys";

#[derive(Args)]
pub(super) struct Store {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell which node keys there are, and what still needs a former one.
    Keys(Asked),
    /// Make a new node key; what the one before sealed is wrapped anew meanwhile.
    Rekey(Asked),
}

#[derive(Args)]
struct Asked {
    #[command(flatten)]
    reach: Reach,
}

impl Store {
    pub(super) fn run(self) -> Result<(), Fault> {
        let (reach, answer) = match self.command {
            Command::Keys(Asked { reach }) => {
                let answer = Client::new(&reach)?.get(KEYS)?;
                (reach, answer)
            }
            Command::Rekey(Asked { reach }) => {
                let answer = Client::new(&reach)?.post(KEYS, &json!({}))?;
                (reach, answer)
            }
        };
        table::print(reach.json, &answer, |answer| Ok(shown(answer)))
    }
}

fn shown(answer: &Value) -> String {
    let said = |name: &str| answer[name].as_str().unwrap_or("unknown").to_owned();
    let former: Vec<_> =
        answer["former"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let left = answer["left"].as_u64().map_or_else(|| "not counted yet".into(), |n| n.to_string());
    let mut told = format!("key:    {}\n", said("key"));
    if !former.is_empty() {
        told += &format!("former: {} ({left} forms still need them)\n", former.join(", "));
    }
    if let Some(lost @ 1..) = answer["lost"].as_u64() {
        told += &format!("lost:   {lost} forms need a key that is not here\n");
    }
    told
}
