//! What goes on beside an attack.

use tokio::time::timeout;

use crate::attacks;
use crate::good::{PATIENCE, agent, export, impatient};

/// Scenario: every attack, two rounds at once, while a good sender exports on new connections all the time.
/// Guarantees: good exports are accepted during it and after it, and the agent gives back what it had reserved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_export_works_beside_every_attack() {
    for (name, attack) in attacks::ALL {
        let (pipeline, doors) = agent(impatient()).await;
        let attacking = tokio::spawn(async move { tokio::join!(attack(doors), attack(doors)) });
        let mut exported = 0;
        while !attacking.is_finished() || exported == 0 {
            timeout(PATIENCE, export(doors)).await.unwrap_or_else(|_| panic!("{name}: no export during the attack"));
            exported += 1;
        }
        attacking.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        timeout(PATIENCE, export(doors)).await.unwrap_or_else(|_| panic!("{name}: no export after the attack"));
        let settled = async {
            while pipeline.stats().memory.level != "normal" {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, settled).await.unwrap_or_else(|_| panic!("{name}: memory stays tight"));
        assert!(pipeline.stats().spans_accepted >= 2 * (exported + 1), "{name}");
    }
}
