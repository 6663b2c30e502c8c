//! Which test breaks which law. Whoever adds a law writes one: without it this does not compile.

use super::{Broken, capsule, contacts, content, keys, records, tickets, words};

const _: fn(&Broken) -> fn() = |broken| match broken {
    Broken::Unauthorised { .. } => records::a_node_that_takes_what_is_said_in_the_name_of_others_is_noticed,
    Broken::PastCut { .. } => records::records_that_count_past_a_cut_are_noticed,
    Broken::Misjudged { .. } => keys::a_node_that_does_not_judge_again_what_it_refused_is_noticed,
    Broken::Outlived { .. } => keys::a_node_that_counts_what_a_key_signs_after_its_end_is_noticed,
    Broken::Disowned { .. } => keys::a_node_for_which_work_is_lost_with_its_key_is_noticed,
    Broken::Admitted { .. } => keys::a_node_that_talks_to_the_successor_of_a_revoked_key_is_noticed,
    Broken::Unconfirmed { .. } => keys::a_node_that_confirms_no_key_is_noticed,
    Broken::Lost { .. } => super::a_disk_that_loses_what_it_answered_for_is_noticed,
    Broken::Missing { .. } => records::a_node_that_answers_for_what_it_does_not_keep_is_noticed,
    Broken::Accused { .. } | Broken::Framed { .. } | Broken::Restless { .. } => {
        super::nodes_that_lie_fork_or_never_fall_silent_are_noticed
    }
    Broken::Overflow { .. } => super::a_queue_without_its_limit_is_noticed,
    Broken::Apart { .. } => super::nodes_that_do_not_come_to_the_same_are_noticed_and_the_world_is_made_small,
    Broken::Differs { .. } | Broken::Misfolded { .. } | Broken::Unreadable { .. } => {
        super::a_base_that_forgets_a_commit_is_noticed
    }
    Broken::Counterfeit { .. } => content::a_node_that_takes_whatever_comes_is_noticed,
    Broken::Repeated { .. } => content::a_node_that_begins_anew_after_each_crash_is_noticed,
    Broken::Unfetched { .. } => content::a_node_that_keeps_what_it_has_to_itself_is_noticed,
    Broken::Unproved { .. } => {
        capsule::a_capsule_that_does_not_prove_is_not_put_on_trial_and_is_noticed_at_whatever_node_has_it
    }
    Broken::Behind { .. } => capsule::a_node_that_does_not_do_what_it_was_told_is_noticed,
    Broken::Unspread { .. } => capsule::a_world_in_which_a_capsule_comes_to_nobody_does_not_hold,
    Broken::Opened { .. } => tickets::a_door_that_does_not_look_at_tickets_is_noticed,
    Broken::SentAway { .. } => tickets::a_door_that_forgets_its_tickets_is_noticed,
    Broken::Outside { .. } => tickets::a_door_that_never_answers_is_noticed,
    Broken::Unmet { .. } => contacts::a_node_that_tells_nobody_of_the_others_is_noticed,
    Broken::TwoWords { .. } => words::a_witness_that_vouches_for_whatever_it_is_offered_is_noticed,
    Broken::Suspected { .. } => words::a_node_whose_log_is_not_what_it_was_is_noticed,
    Broken::Unvouched { .. } => words::a_word_that_nobody_gave_is_noticed,
    Broken::Toothless { .. } => super::a_world_in_which_nothing_happens_of_what_it_expects_is_noticed,
    Broken::Unopened { .. } => super::a_base_that_cannot_be_opened_after_a_power_cut_is_noticed,
};
