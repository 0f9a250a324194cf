// The judges of a simulated run: each looks at the history after everything healed and settled, and
// names every broken promise (docs/architecture.md, P1 to P7) in words.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/history.h"

namespace shoal::sim {

// An oracle of its own for MQTT's wildcard rules (MQTT 5.0, 4.7).
bool oracle_matches(std::string_view filter, std::string_view topic);

// P1, P3: a QoS > 0 message that was first sent after a subscription's SUBACK and was acknowledged
// reached that subscription's chain, if the chain still lives.
void check_no_acked_lost(const History& history, std::vector<std::string>& violations);

// P2: within one chain a message comes at most once at effective QoS 2, and at QoS 0.
void check_exactly_once(const History& history, std::vector<std::string>& violations);

// P5: first deliveries of what a publisher sent in one session, of one topic and QoS, ascend. (What a
// client gave up with a lost session has no place among what it sends in the next.)
void check_order(const History& history, std::vector<std::string>& violations);

// Nobody gets what no subscription of his asked for.
void check_only_asked_for(const History& history, std::vector<std::string>& violations);

// A shared group that had a member throughout got every acknowledged QoS > 0 message at least once,
// and one published and granted at QoS 2 at most once, over all members.
void check_shared(const History& history, std::vector<std::string>& violations);

std::vector<std::string> check_history(const History& history);

}  // namespace shoal::sim
