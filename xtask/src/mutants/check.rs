//! What must catch a mutant: seeds of the simulator, seeds of zab's random ensembles, or a test
//! that crashes at every operation.

use std::fmt;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::scratch::Scratch;

/// Longest a check may take. What goes on after it has not caught anything.
const LIMIT: Duration = Duration::from_secs(300);
/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(20);
/// Seeds of the run without mutants.
const FEW: u64 = 40;

/// As the mutants write it: `zab TEST A..B`, `sim A..B`, `recipes NAME A..B`, or `PACKAGE TARGET
/// TEST`, where the target `lib` stands for the unit tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// A test in `zab/tests/ensembles/random.rs`.
    Zab { test: String, seeds: Range<u64> },
    /// The simulator of servers, or of a recipe.
    Sim {
        recipe: Option<String>,
        seeds: Range<u64>,
    },
    /// A test that has no seeds, or all of its own.
    Test {
        package: String,
        target: String,
        test: String,
    },
}

impl FromStr for Check {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["zab", test, seeds] if seeds.contains("..") => Self::Zab {
                test: (*test).to_owned(),
                seeds: range(seeds)?,
            },
            ["sim", seeds] => Self::Sim {
                recipe: None,
                seeds: range(seeds)?,
            },
            ["recipes", name, seeds] if seeds.contains("..") => Self::Sim {
                recipe: Some((*name).to_owned()),
                seeds: range(seeds)?,
            },
            [package, target, test] => Self::Test {
                package: (*package).to_owned(),
                target: (*target).to_owned(),
                test: (*test).to_owned(),
            },
            _ => bail!("{text:?} is no check"),
        })
    }
}

fn range(text: &str) -> Result<Range<u64>> {
    let (start, end) = text.split_once("..").context("wanted: A..B")?;
    Ok(start.parse()?..end.parse()?)
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zab { test, seeds } => write!(f, "zab {test} {}..{}", seeds.start, seeds.end),
            Self::Sim { seeds, .. } => {
                write!(f, "{} {}..{}", self.name(), seeds.start, seeds.end)
            }
            Self::Test {
                package,
                target,
                test,
            } => write!(f, "{package} {target} {test}"),
        }
    }
}

impl Check {
    /// The same without seeds.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Zab { .. } => "zab".to_owned(),
            Self::Sim { recipe: None, .. } => "sim".to_owned(),
            Self::Sim {
                recipe: Some(name), ..
            } => format!("recipes {name}"),
            Self::Test {
                package, target, ..
            } => format!("{package} {target}"),
        }
    }

    /// The same with few seeds.
    pub(super) fn few(&self) -> Self {
        let few = |seeds: &Range<u64>| seeds.start..seeds.end.min(seeds.start + FEW);
        match self {
            Self::Zab { test, seeds } => Self::Zab {
                test: test.clone(),
                seeds: few(seeds),
            },
            Self::Sim { recipe, seeds } => Self::Sim {
                recipe: recipe.clone(),
                seeds: few(seeds),
            },
            Self::Test { .. } => self.clone(),
        }
    }

    /// The same with the one seed that failed; `None` for tests without seeds of ours.
    pub(super) fn again(&self, found: &Found) -> Option<Self> {
        let seed: u64 = found.seed.as_ref()?.parse().ok()?;
        let seeds = seed..seed + 1;
        match self {
            Self::Zab { test, .. } => Some(Self::Zab {
                test: test.clone(),
                seeds,
            }),
            Self::Sim { recipe, .. } => Some(Self::Sim {
                recipe: recipe.clone(),
                seeds,
            }),
            Self::Test { .. } => None,
        }
    }

    fn package(&self) -> &str {
        match self {
            Self::Zab { .. } => "zab",
            Self::Sim { recipe: None, .. } => "sim",
            Self::Sim { .. } => "recipe-sim",
            Self::Test { package, .. } => package,
        }
    }

    fn cargo_args(&self) -> Vec<&str> {
        match self {
            Self::Sim { .. } => vec!["build", "-p", self.package()],
            Self::Zab { .. } => vec!["test", "--no-run", "-p", "zab", "--test", "ensembles"],
            Self::Test {
                package, target, ..
            } if target == "lib" => vec!["test", "--no-run", "-p", package, "--lib"],
            Self::Test {
                package, target, ..
            } => vec!["test", "--no-run", "-p", package, "--test", target],
        }
    }
}

/// A check that failed.
#[derive(Debug)]
pub(super) struct Found {
    /// In which run, if there were several.
    pub(super) seed: Option<String>,
    /// How far the clock of the simulation was, in milliseconds, if the check says so.
    pub(super) simulated_ms: Option<String>,
    /// All that it printed.
    pub(super) output: String,
    /// From the start of the first run; building does not count.
    pub(super) took: Duration,
}

/// What a check runs, built.
pub(super) struct Programs {
    executable: PathBuf,
    /// Where cargo would run it.
    folder: PathBuf,
}

impl Programs {
    pub(super) fn build(scratch: &Scratch, check: &Check) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(check.cargo_args())
            .args(["--locked", "--message-format=json"])
            .current_dir(scratch.tree())
            .env("CARGO_TARGET_DIR", scratch.build())
            .output()
            .context("start cargo")?;
        ensure!(
            output.status.success(),
            "it does not compile, which proves nothing:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let messages = String::from_utf8(output.stdout)?;
        let executable = messages.lines().filter_map(executable).next_back();
        Ok(Self {
            executable: executable.context("cargo built nothing that runs")?,
            folder: scratch.tree().join(check.package()),
        })
    }

    /// Runs the check; `None` if it passes. A run of one seed that fails with one of `passed_over`
    /// is followed by the next.
    pub(super) fn run(
        &self,
        scratch: &Scratch,
        check: &Check,
        name: &str,
        passed_over: &[String],
    ) -> Result<Option<Found>> {
        let log = scratch.logs().join(format!("{name}.log"));
        let start = Instant::now();
        let failed = |command: &mut Command| fails(command, &log, start + LIMIT);
        let passes_over = |output: &str| passed_over.iter().any(|words| output.contains(words));
        let found = |seed, output: String| Found {
            seed,
            simulated_ms: number_behind("simulated time ", &output),
            output,
            took: start.elapsed(),
        };
        match check {
            // One process for each, so that an assertion inside of the server has a seed too.
            Check::Zab { test, seeds } => {
                for seed in seeds.clone() {
                    let mut command = self.test(&format!("random::{test}"));
                    command.env("ZAB_SEED", seed.to_string());
                    command.env("ZAB_SEEDS", "1");
                    let output = failed(&mut command)?;
                    if let Some(output) = output.filter(|output| !passes_over(output)) {
                        return Ok(Some(found(Some(seed.to_string()), output)));
                    }
                }
                Ok(None)
            }
            Check::Sim { recipe, seeds } => {
                let mut from = seeds.start;
                while from < seeds.end {
                    let mut command = self.command();
                    if let Some(name) = recipe {
                        command.args(["--recipes", name]);
                    }
                    command.args(["--seeds", &format!("{from}..{}", seeds.end)]);
                    let Some(output) = failed(&mut command)? else {
                        break;
                    };
                    let seed = seed_in(&output);
                    if !passes_over(&output) {
                        return Ok(Some(found(seed, output)));
                    }
                    let seed = seed.and_then(|seed| seed.parse::<u64>().ok());
                    from = seed.context("a run failed without a seed")? + 1;
                }
                Ok(None)
            }
            Check::Test { test, .. } => {
                let output = failed(&mut self.test(test))?;
                Ok(output.map(|output| found(seed_in(&output), output)))
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder);
        command
    }

    fn test(&self, name: &str) -> Command {
        let mut command = self.command();
        command.args(["--exact", name, "--nocapture"]);
        command
    }
}

/// The program that a line of `cargo --message-format=json` announces.
fn executable(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    message.get("executable")?.as_str().map(PathBuf::from)
}

/// The output of a program if it fails.
fn fails(command: &mut Command, log: &Path, until: Instant) -> Result<Option<String>> {
    let file = File::create(log).with_context(|| format!("create {}", log.display()))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            bail!("{command:?} goes on after {} s", LIMIT.as_secs());
        }
        sleep(POLL);
    };
    let output = String::from_utf8_lossy(&fs::read(log)?).into_owned();
    if !status.success() {
        return Ok(Some(output));
    }
    // A test of another name runs nothing, and succeeds.
    ensure!(
        !output.contains("running 0 tests"),
        "{command:?} found no test of that name"
    );
    Ok(None)
}

/// The number behind the word seed, if the output says one.
fn seed_in(output: &str) -> Option<String> {
    number_behind("seed ", output)
}

fn number_behind(words: &str, output: &str) -> Option<String> {
    output.match_indices(words).find_map(|(at, word)| {
        let rest = &output[at + word.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit());
        let number = &rest[..end.unwrap_or(rest.len())];
        (!number.is_empty()).then(|| number.to_owned())
    })
}
