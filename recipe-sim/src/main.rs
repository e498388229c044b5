//! `cargo xtask sim --recipes`: many seeds of some recipes, or one seed again with a transcript.

use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;

use clap::Parser;
use recipe_sim::{Plan, RECIPES, Recipe};
use sim::{Goal, Servers, explore};

/// Seeds of each recipe, when nothing else is asked for.
const SEEDS: Range<u64> = 0..200;

#[derive(Parser)]
#[command(about = "Simulate recipes with processes that pause and die, on servers that fail")]
struct Args {
    /// Names of recipes, comma separated, or `all`.
    #[arg(long, value_delimiter = ',', required = true)]
    recipes: Vec<String>,
    /// Run this seed and print a transcript.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run these seeds of each: `A..B`, without B.
    #[arg(long, value_parser = Goal::seeds)]
    seeds: Option<Range<u64>>,
    /// `standalone`, or the number of members of an ensemble; drawn from the seed if not given.
    #[arg(long, value_parser = Servers::parse)]
    servers: Option<Servers>,
    /// Kinds of faults that do not happen, comma separated.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// Threads; all cores if not given.
    #[arg(long)]
    jobs: Option<usize>,
}

impl Args {
    fn recipes(&self) -> Result<Vec<&'static Recipe>, String> {
        if self.recipes == ["all"] {
            return Ok(RECIPES.iter().collect());
        }
        let found = self.recipes.iter().map(|name| {
            let names = || RECIPES.iter().map(Recipe::name).collect::<Vec<_>>();
            let found = RECIPES.iter().find(|recipe| recipe.name() == name);
            found.ok_or_else(|| format!("{name:?} is none of {}", names().join(", ")))
        });
        found.collect()
    }

    fn plan(&self, recipe: &'static Recipe, seed: u64) -> Plan {
        let mut plan = Plan::new(recipe, seed);
        plan.servers = self.servers.unwrap_or(plan.servers);
        for name in &self.without {
            plan.leave_out(name);
        }
        plan
    }

    /// The arguments that make a run again.
    fn again(&self, recipe: &Recipe, seed: u64) -> String {
        let mut text = format!("cargo xtask sim --recipes {} --seed {seed}", recipe.name());
        if let Some(servers) = self.servers {
            text.push_str(&format!(" --servers {servers}"));
        }
        if !self.without.is_empty() {
            text.push_str(&format!(" --without {}", self.without.join(",")));
        }
        text
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let recipes = match args.recipes() {
        Ok(recipes) => recipes,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    // A panic is a finding like any other; it is reported with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let mut code = ExitCode::SUCCESS;
    for recipe in recipes {
        let is_clean = match args.seed {
            Some(seed) => replay(&args.plan(recipe, seed)),
            None => search(&args, recipe),
        };
        if !is_clean {
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn replay(plan: &Plan) -> bool {
    let outcome = recipe_sim::run(plan, true);
    let mut out = std::io::stdout().lock();
    // Whoever reads may stop reading.
    let _ = write!(out, "{}\n{}", outcome.transcript, outcome.coverage);
    outcome.violation.is_none()
}

fn search(args: &Args, recipe: &'static Recipe) -> bool {
    let goal = Goal::Seeds(args.seeds.clone().unwrap_or(SEEDS));
    let explored = explore(&goal, args.jobs, &|seed| {
        recipe_sim::run(&args.plan(recipe, seed), false)
    });
    println!("{}: {}", recipe.name(), explored.summary());
    print!("{}", explored.coverage);
    let Some((seed, violation)) = explored.failure else {
        return true;
    };
    println!("\n{} seed {seed} FAILED\n  {violation}", recipe.name());
    println!("again:   {}", args.again(recipe, seed));
    false
}
