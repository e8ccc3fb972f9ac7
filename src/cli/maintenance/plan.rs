//! `intermission maintenance plan` and `diff`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Which, interview};
use crate::cli::client::{self, Client};
use crate::cli::confirm::{Consent, agreed};
use crate::cli::shown::{MaintenanceShown, SourceShown, WindowShown};
use crate::cli::{Fault, Reach, table, window};
use crate::config::{Color, maintenances};

const ALL: &str = "/api/v1/maintenances";

#[derive(Args)]
pub(super) struct Plan {
    /// The plan, in TOML, YAML or JSON as its name ends. Without it, questions are asked.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Put the plan in the place of this maintenance: its id, the beginning of it, or its title.
    #[arg(long, value_name = "MAINTENANCE")]
    replace: Option<String>,
    /// Plan nothing; print what it would do.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Args)]
pub(super) struct Diff {
    /// The plan. Without it, what files of the node declare is held against what is in force.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Which maintenance it is held against, if it is not the one of the same title.
    #[arg(long, value_name = "MAINTENANCE", requires = "file")]
    against: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

impl Plan {
    pub(super) fn run(self) -> Result<(), Fault> {
        let asked = self.file.is_none();
        let plan = match &self.file {
            Some(file) => read(file)?,
            None if std::io::stdin().is_terminal() => interview::plan()?,
            None => return Err(Fault::Usage("say which plan: --file FILE".to_owned())),
        };
        let client = Client::new(&self.reach)?;
        if self.dry_run {
            let against = self.replace.as_deref();
            return rehearse(&client, against, &plan, self.reach.json);
        }
        if asked {
            rehearse(&client, self.replace.as_deref(), &plan, false)?;
            if !agreed("Plan it so?")? {
                return Err(Fault::Failed("nothing was planned, as you said".to_owned()));
            }
        }
        let answer = match &self.replace {
            None => {
                // Who was asked has just read whom it hits.
                if !asked {
                    self.consent.get(&client, ALL, &plan)?;
                }
                client.post(ALL, &plan)?
            }
            Some(which) => {
                let which = Which { which: which.clone() };
                let loaded = which.load(&client)?;
                let etag = loaded.answer.etag.unwrap_or_else(|| "*".to_owned());
                client.put(&super::path(&loaded.shown.id)?, &plan, &etag)?
            }
        };
        table::print(self.reach.json, &answer, |answer| {
            let whole = answer.get("maintenance").unwrap_or(answer).clone();
            let shown: MaintenanceShown = client::read(whole)?;
            let mut told = format!("planned: {}\n{}", shown.title, told_windows(answer)?);
            told += &told_warnings(answer);
            told += &format!("maintenance {}\n", shown.id);
            Ok(told)
        })
    }
}

impl Diff {
    pub(super) fn run(self) -> Result<(), Fault> {
        let client = Client::new(&self.reach)?;
        let Some(file) = &self.file else { return drifts(&client, self.reach.json) };
        let plan = read(file)?;
        let against = match &self.against {
            Some(which) => Some(which.clone()),
            None => of_the_same_title(&client, &plan)?,
        };
        rehearse(&client, against.as_deref(), &plan, self.reach.json)
    }
}

/// Reads a plan. What is wrong in its form is told with line and column; what is wrong in its
/// sense, by the API.
fn read(file: &Path) -> Result<Value, Fault> {
    let written = maintenances::Written::read(file);
    let written = written.map_err(|problems| {
        Fault::Usage(format!("it is no plan:\n{}", problems.render(Color::Plain).trim_end()))
    })?;
    Ok(written.value)
}

/// The maintenance that is not over and is called as the plan is.
fn of_the_same_title(client: &Client, plan: &Value) -> Result<Option<String>, Fault> {
    let answer = client.all(ALL)?;
    let known: Vec<MaintenanceShown> = client::read(table::items(&answer, "maintenances"))?;
    let same = known.into_iter().find(|one| plan["title"] == json!(one.title));
    Ok(same.map(|one| one.id))
}

/// Tells which declared maintenances stand otherwise than their files say.
fn drifts(client: &Client, as_json: bool) -> Result<(), Fault> {
    let answer = client.all(ALL)?;
    let all: Vec<Value> = client::read(table::items(&answer, "maintenances"))?;
    let differs = |one: &Value| {
        one["source"]["file"].is_string() && one["drift"].as_array().is_some_and(|d| !d.is_empty())
    };
    let items: Vec<Value> = all.into_iter().filter(differs).collect();
    table::print(as_json, &json!({ "items": items }), |_| {
        let shown: Vec<MaintenanceShown> = client::read(json!(items))?;
        let each = shown.iter().map(|one| {
            let file = match &one.source {
                SourceShown::File(file) => file.as_str(),
                SourceShown::Operator => "",
            };
            format!("{} ({file}), {}\n{}", one.title, one.id, one.drifts())
        });
        let told: String = each.collect();
        let none = "everything stands as its file says\n";
        Ok(if told.is_empty() { none.to_owned() } else { told })
    })
}

/// Asks what a plan would do, and tells it.
fn rehearse(
    client: &Client,
    against: Option<&str>,
    plan: &Value,
    as_json: bool,
) -> Result<(), Fault> {
    let (before, answer) = match against {
        None => (None, client.post(&format!("{ALL}?dry_run=true"), plan)?),
        Some(which) => {
            let loaded = Which { which: which.to_owned() }.load(client)?;
            let path = format!("{}?dry_run=true", super::path(&loaded.shown.id)?);
            let etag = loaded.answer.etag.clone().unwrap_or_else(|| "*".to_owned());
            (Some(loaded), client.put(&path, plan, &etag)?)
        }
    };
    table::print(as_json, &answer, |answer| {
        let mut told = String::new();
        if let Some(before) = before {
            told += &format!("now:\n{}then:\n", window::list(&before.windows));
        }
        told += &told_windows(answer)?;
        told += &told_hit(answer);
        told += &told_warnings(answer);
        Ok(told)
    })
}

fn told_windows(answer: &Value) -> Result<String, Fault> {
    let windows = [&answer["windows"], &answer["maintenance"]["windows"]];
    let Some(windows) = windows.into_iter().find(|list| list[0].is_object()) else {
        return Ok(String::new());
    };
    Ok(window::list(&client::read::<Vec<WindowShown>>(windows.clone())?))
}

/// Whom it hits, by the last hour's traffic.
fn told_hit(answer: &Value) -> String {
    let hit = &answer["last_hour"];
    match (hit["share"].as_f64(), hit["requests"].as_u64()) {
        (Some(share), Some(requests)) => {
            let percent = share * 100.0;
            format!("these places got {percent:.0} % of the last hour's requests ({requests})\n")
        }
        _ => String::new(),
    }
}

/// Conflicts, and what else is worth a second look.
fn told_warnings(answer: &Value) -> String {
    let lists = ["conflicts", "warnings"].map(|name| answer[name].as_array());
    let each = lists.into_iter().flatten().flatten().map(|one| {
        let text = |name: &str| one[name].as_str();
        let what = text("what").or_else(|| text("detail")).or_else(|| one.as_str());
        let field = text("field").map(|field| format!("{field}: ")).unwrap_or_default();
        format!("look out: {field}{}\n", what.map_or_else(|| one.to_string(), str::to_owned))
    });
    each.collect()
}
