//! What happens to an ensemble while clients use it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use crate::diff::Dice;
use crate::ensemble::cluster::Ensemble;

/// Longer than `syncLimit` times `tickTime` of these ensembles, so that everyone gives up.
const LONG: Duration = Duration::from_millis(4000);
/// Shorter than that, so that nobody does.
const SHORT: Duration = Duration::from_millis(700);

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Nemesis {
    /// SIGKILL of the leader.
    LeaderKill,
    /// SIGKILL of a follower.
    FollowerKill,
    /// SIGKILL of a majority, the leader among them.
    MajorityKill,
    /// SIGKILL of everyone at once.
    AllKill,
    /// SIGSTOP of the leader until it is deposed, then SIGCONT.
    LeaderPause,
    /// SIGSTOP of the leader for a moment.
    LeaderBlink,
    /// SIGSTOP of a follower until it is given up, then SIGCONT.
    FollowerPause,
    /// SIGTERM and start of everyone, one after the other.
    RollingRestart,
    /// The leader is cut off both ways.
    IsolateLeader,
    /// Nothing that the leader sends arrives.
    MuteLeader,
    /// Nothing that is sent to the leader arrives.
    DeafLeader,
    /// A follower is cut off for less time than anyone needs to notice: it goes on to serve reads,
    /// and its plain ones are stale.
    IsolateFollower,
    /// The leader and as many as leave a majority on the other side.
    Split,
    /// Everyone is cut off from the next one only.
    Ring,
}

impl Nemesis {
    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn cuts(self) -> bool {
        matches!(
            self,
            Self::IsolateLeader
                | Self::MuteLeader
                | Self::DeafLeader
                | Self::IsolateFollower
                | Self::Split
                | Self::Ring
        )
    }

    /// Those that make sense for so many servers on such a network.
    pub(crate) fn all(servers: usize, can_cut: bool) -> Vec<Self> {
        let alone = [Self::LeaderKill, Self::LeaderBlink, Self::RollingRestart];
        Self::value_variants()
            .iter()
            .copied()
            .filter(|nemesis| servers > 1 || alone.contains(nemesis))
            // A split of three is an isolated leader.
            .filter(|nemesis| servers > 3 || *nemesis != Self::Split)
            .filter(|nemesis| can_cut || !nemesis.cuts())
            .collect()
    }

    /// Does it, and undoes it; afterwards every member serves again.
    ///
    /// # Errors
    /// When a process cannot be handled, or the ensemble does not come back.
    pub(crate) fn strike(self, ensemble: &mut Ensemble, dice: &mut Dice) -> Result<()> {
        let all = ensemble.running();
        let leader = ensemble.await_leader()?;
        let others = ensemble.running_without(leader);
        let majority = all.len() / 2 + 1;
        match self {
            Self::LeaderKill => kill(ensemble, &[leader])?,
            Self::FollowerKill => {
                let victim = *dice.pick(&others);
                kill(ensemble, &[victim])?;
            }
            Self::MajorityKill => {
                let mut victims = vec![leader];
                victims.extend(&others[..majority - 1]);
                kill(ensemble, &victims)?;
            }
            Self::AllKill => kill(ensemble, &all)?,
            Self::LeaderPause => pause(ensemble, leader, LONG)?,
            Self::LeaderBlink => pause(ensemble, leader, SHORT)?,
            Self::FollowerPause => {
                let victim = *dice.pick(&others);
                pause(ensemble, victim, LONG)?;
            }
            Self::RollingRestart => {
                for &id in &all {
                    ensemble.restart(id)?;
                }
            }
            Self::IsolateLeader => {
                ensemble.network().split(&[leader], &others)?;
                std::thread::sleep(LONG + SHORT);
            }
            Self::MuteLeader => {
                for &other in &others {
                    ensemble.network().cut(leader, other)?;
                }
                std::thread::sleep(LONG + SHORT);
            }
            Self::DeafLeader => {
                for &other in &others {
                    ensemble.network().cut(other, leader)?;
                }
                std::thread::sleep(LONG + SHORT);
            }
            Self::IsolateFollower => {
                let victim = *dice.pick(&others);
                let rest = ensemble.running_without(victim);
                ensemble.network().split(&[victim], &rest)?;
                std::thread::sleep(SHORT * 2);
            }
            Self::Split => {
                let (few, many) = others.split_at(all.len() - majority - 1);
                let mut minority = few.to_vec();
                minority.push(leader);
                ensemble.network().split(&minority, many)?;
                std::thread::sleep(LONG + SHORT);
            }
            Self::Ring => {
                for (at, &id) in all.iter().enumerate() {
                    let next = all[(at + 1) % all.len()];
                    ensemble.network().cut(id, next)?;
                }
                std::thread::sleep(LONG + SHORT);
            }
        }
        ensemble
            .mend(&all)
            .with_context(|| format!("after {}", self.name()))
    }
}

/// SIGKILL; the others get some time to go on before the victims are started again.
fn kill(ensemble: &mut Ensemble, victims: &[u64]) -> Result<()> {
    for &victim in victims {
        ensemble.member_mut(victim).kill()?;
    }
    std::thread::sleep(SHORT * 2);
    Ok(())
}

fn pause(ensemble: &mut Ensemble, victim: u64, time: Duration) -> Result<()> {
    ensemble.member_mut(victim).pause()?;
    std::thread::sleep(time);
    ensemble.member_mut(victim).resume()
}
