//! `intermission token`: makes a token for the admin API. The config takes only its hash.

use clap::Args;
use serde_json::json;

use super::Fault;
use crate::digest;

#[derive(Args)]
pub(super) struct Token {
    /// Whose token it is; this name stands in the history.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Token {
    pub(super) fn run(self) -> Result<(), Fault> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Fault::Usage("--name wants a name".to_owned()));
        }
        let token = format!("im_{}", digest::base64url(&digest::random::<32>()));
        let sha256 = digest::hex(&digest::sha256(token.as_bytes()));
        if self.json {
            anstream::println!("{}", json!({ "name": name, "token": token, "sha256": sha256 }));
            return Ok(());
        }
        let quoted = toml::Value::from(name).to_string();
        anstream::println!("The token, shown only now. Keep it secret:\n\n  {token}\n");
        anstream::println!("Use it:\n\n  export INTERMISSION_TOKEN={token}\n");
        anstream::println!("Put this into the config, then restart:\n");
        anstream::println!("[[admin.token]]\nname = {quoted}\nsha256 = \"{sha256}\"");
        Ok(())
    }
}
