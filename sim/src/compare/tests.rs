//! What a comparison guarantees. These are whole runs, short enough for an ordinary test.

use super::*;

fn stages(seconds: usize, families: &[Family]) -> Vec<Stage> {
    let draw = |family: &Family| Stage::of_recording(&family.draw(Seed(1), seconds), seconds).unwrap();
    families.iter().map(draw).collect()
}

fn plan(contenders: &[Contender], stages: Vec<Stage>) -> ComparePlan {
    ComparePlan {
        contenders: contenders.to_vec(),
        stages,
        first_seed: 1,
        seeds: 1,
        prices: Prices::default(),
        threads: None,
    }
}

/// Scenario: every manager on ten minutes of days and of ramps.
/// Guarantees: nobody earns more than the oracle, beyond half a percent of noise.
#[test]
fn nobody_beats_the_oracle() {
    let report = compare(&plan(&Contender::USUAL, stages(600, &[Family::Diurnal, Family::Ramps])), &|_, _| {});
    for stage in &report.stages {
        for standing in &stage.standings {
            assert!(standing.share[0] <= 1.005, "{} on {}: {:?}", standing.contender, stage.name, standing.share);
        }
    }
}

/// Scenario: two comparisons with the same seed.
/// Guarantees: the same scores, however the threads took turns.
#[test]
fn a_comparison_repeats_itself() {
    let scores = || {
        let contenders = [Contender::Agent, Contender::Hpa(80)];
        let report = compare(&plan(&contenders, stages(240, &[Family::Sawtooth])), &|_, _| {});
        let of = |stage: &StageReport| stage.standings.iter().map(|one| one.scores.clone()).collect::<Vec<_>>();
        report.stages.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(scores(), scores());
}

/// Scenario: names of managers as people write them.
/// Guarantees: each is understood and written the same way; who is unknown is refused with those that are known.
#[test]
fn contenders_have_names() {
    for name in ["agent", "hpa", "hpa:60", "static", "peak", "threshold", "oracle"] {
        assert_eq!(name.parse::<Contender>().map(|contender| contender.to_string()), Ok(name.to_owned()));
    }
    assert!("vpa".parse::<Contender>().unwrap_err().contains("agent, hpa"));
    assert!("hpa:200".parse::<Contender>().is_err());
}
