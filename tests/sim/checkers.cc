#include "tests/sim/checkers.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace shoal::sim {
namespace {

constexpr std::string_view kShare = "$share/";
constexpr Duration kChangeTakes = Duration::seconds(2);

bool is_shared(std::string_view filter) { return filter.starts_with(kShare); }

std::string_view plain_filter(std::string_view filter) {
  if (!is_shared(filter)) return filter;
  filter.remove_prefix(kShare.size());
  return filter.substr(filter.find('/') + 1);
}

std::string name_of(const MessageKey& key) {
  return "message " + std::to_string(key.publisher) + ":" + std::to_string(key.number);
}

std::string name_of(const Chain& chain) {
  return chain.client_id + "'s session of " +
         std::to_string(static_cast<double>(chain.begun.ns) / 1e9) + "s";
}

// The subscription was confirmed before the message was sent, and not ended by then or later.
bool must_have(const Subscription& subscription, const Published& message) {
  return subscription.suback && *subscription.suback < message.first_sent && !subscription.ended &&
         subscription.granted != Qos::k0 &&
         oracle_matches(plain_filter(subscription.filter), message.topic);
}

std::set<MessageKey> keys_of(const Chain& chain) {
  std::set<MessageKey> keys;
  for (const Delivered& delivered : chain.deliveries) keys.insert(delivered.key);
  return keys;
}

bool levels_match(std::string_view filter, std::string_view topic) {
  if (filter == "#") return true;
  const size_t f = filter.find('/'), t = topic.find('/');
  const std::string_view level = filter.substr(0, f);
  if (level != "+" && level != topic.substr(0, t)) return false;
  if (f == std::string_view::npos) return t == std::string_view::npos;
  const std::string_view rest = filter.substr(f + 1);
  return t == std::string_view::npos ? rest == "#" : levels_match(rest, topic.substr(t + 1));
}

// A chain gets a message once for all its plain subscriptions, and once for each shared one that
// picked it (5.0: 4.8.2).
int copies_max(const Chain& chain, const Published& message) {
  bool plain = false;
  std::set<std::string> shared;
  for (const Subscription& s : chain.subscriptions) {
    if (!oracle_matches(plain_filter(s.filter), message.topic)) continue;
    if (is_shared(s.filter)) {
      shared.insert(s.filter);
    } else {
      plain = true;
    }
  }
  return static_cast<int>(shared.size()) + (plain ? 1 : 0);
}

// A message that was sent before the subscription was confirmed, or not acknowledged before it was
// taken back, may pass it by, and come when its publisher sends it again, after later ones.
bool is_ordered_for(const Chain& chain, const Published& message) {
  return std::any_of(
      chain.subscriptions.begin(), chain.subscriptions.end(), [&](const Subscription& s) {
        const bool stayed =
            message.qos == Qos::k0 || !s.ended || (message.acked && *message.acked < *s.ended);
        return s.suback && *s.suback < message.first_sent && stayed &&
               oracle_matches(plain_filter(s.filter), message.topic);
      });
}

// Then copies of one message come on different ways, and those ways have no order between them.
bool is_shared_with(const Chain& chain, const Published& message) {
  return std::any_of(
      chain.subscriptions.begin(), chain.subscriptions.end(), [&](const Subscription& s) {
        return is_shared(s.filter) && oracle_matches(plain_filter(s.filter), message.topic);
      });
}

// What a durable session subscribes to at QoS 0 comes live, else by its shard. While a subscription
// changes, which it does until its SUBACK however long that takes, a message may be found by both.
bool was_changing(const Chain& chain, const Published& message, Instant until) {
  return std::any_of(chain.subscriptions.begin(), chain.subscriptions.end(),
                     [&](const Subscription& s) {
                       const auto within = [&](Instant from, Instant to) {
                         return to >= message.first_sent - kChangeTakes && from <= until;
                       };
                       return oracle_matches(plain_filter(s.filter), message.topic) &&
                              (within(s.asked, s.suback.value_or(Instant::never())) ||
                               (s.ended && within(*s.ended, *s.ended)));
                     });
}

// Whether the message may be gone with a member whose session ended: sent to it at QoS 2, it goes to no
// other [MQTT5-4.8.2-5] (if its node was lost, whatever the member was granted: its publisher's node
// cannot know), and sent at QoS 0 nobody asks for it. Where outputs are small, one that reads slowly may
// have lost it at QoS 0 by that limit, which is counted.
bool may_have_taken(const Chain& member, const std::string& filter, const Published& message,
                    const History& history) {
  return std::any_of(
      member.subscriptions.begin(), member.subscriptions.end(), [&](const Subscription& s) {
        if (s.filter != filter) return false;
        const bool may_be_lost = history.may_lose_nodes();
        const bool at_qos2 =
            !member.alive && message.qos == Qos::k2 && (s.granted == Qos::k2 || may_be_lost);
        // A durable one goes on, but not what was on its way to its connection.
        const bool at_qos0 = s.granted == Qos::k0 && (!member.alive || member.outlives_connection ||
                                                      history.may_overflow());
        return at_qos2 || at_qos0;
      });
}

// How often a message came to a session.
struct Times {
  int stored = 0;
  int live = 0;
  uint64_t connection = 0;  // of the live ones

  // Of those that must not be too many. To a durable session what goes live goes to its connection, and a
  // message that leaves an outbox again finds the client elsewhere.
  int add(const Chain& chain, const Published& message, const Delivered& delivered) {
    if (delivered.qos == Qos::k2) ++stored;
    if (delivered.qos == Qos::k0) {
      const bool is_elsewhere = chain.outlives_connection && delivered.connection != connection;
      live = is_elsewhere ? 1 : live + 1;
      connection = delivered.connection;
    }
    const bool apart = chain.outlives_connection && was_changing(chain, message, delivered.at);
    if (!apart) return stored + live;
    return delivered.qos == Qos::k2 ? stored : live;
  }
};

}  // namespace

bool oracle_matches(std::string_view filter, std::string_view topic) {
  const bool wild_first = filter[0] == '+' || filter[0] == '#';
  return !(topic[0] == '$' && wild_first) && levels_match(filter, topic);
}

void check_no_acked_lost(const History& history, std::vector<std::string>& violations) {
  for (const Chain& chain : history.chains()) {
    if (!chain.alive || !chain.connected) continue;
    const std::set<MessageKey> got = keys_of(chain);
    for (const auto& [key, message] : history.all_published()) {
      if (message.qos == Qos::k0 || !message.acked || got.contains(key)) continue;
      for (const Subscription& subscription : chain.subscriptions) {
        if (is_shared(subscription.filter) || !must_have(subscription, message)) continue;
        if (subscription.no_local && message.client_id == chain.client_id) continue;
        violations.push_back("P1/P3: acknowledged " + name_of(key) + " on " + message.topic +
                             " never reached " + name_of(chain) + " subscribed to " +
                             subscription.filter);
        break;
      }
    }
  }
}

void check_exactly_once(const History& history, std::vector<std::string>& violations) {
  for (const Chain& chain : history.chains()) {
    std::map<MessageKey, Times> times;
    for (const Delivered& delivered : chain.deliveries) {
      if (delivered.retain) continue;  // a retained copy is another delivery by the standard
      if (delivered.qos == Qos::k1 || !history.knows(delivered.key)) continue;
      const Published& message = history.all_published().at(delivered.key);
      // Its publisher may have sent it again.
      if (message.qos == Qos::k1 && !message.will) continue;
      const int copies = times[delivered.key].add(chain, message, delivered);
      if (copies == copies_max(chain, message) + 1) {
        violations.push_back("P2: " + name_of(delivered.key) + " came again at QoS " +
                             std::to_string(static_cast<int>(delivered.qos)) + " to " +
                             name_of(chain));
      }
    }
  }
}

void check_order(const History& history, std::vector<std::string>& violations) {
  for (const Chain& chain : history.chains()) {
    std::set<std::pair<MessageKey, bool>> seen;
    // By the publisher's session. What goes live to a durable session does not wait for what is stored.
    std::map<std::tuple<int, std::string, Qos, bool>, uint64_t> last;
    for (const Delivered& delivered : chain.deliveries) {
      if (delivered.retain || !history.knows(delivered.key)) continue;
      const bool is_apart = chain.outlives_connection && delivered.qos == Qos::k0;
      if (!seen.insert({delivered.key, is_apart}).second) continue;
      const Published& message = history.all_published().at(delivered.key);
      // Wills of one client are messages of different sessions.
      if (message.will || is_shared_with(chain, message)) continue;
      // Dropped and counted the first time, or while the client was away, it may come when its publisher
      // sends it again.
      const bool is_lowered = delivered.qos == Qos::k0 && message.qos != Qos::k0;
      if (is_lowered && (history.may_overflow() || chain.outlives_connection)) continue;
      if (!is_ordered_for(chain, message)) continue;
      uint64_t& before = last[{message.chain, message.topic, message.qos, is_apart}];
      if (delivered.key.number < before) {
        violations.push_back("P5: " + name_of(delivered.key) + " on " + message.topic +
                             " came after number " + std::to_string(before) + " to " +
                             name_of(chain));
      }
      before = std::max(before, delivered.key.number);
    }
  }
}

void check_only_asked_for(const History& history, std::vector<std::string>& violations) {
  for (const Chain& chain : history.chains()) {
    for (const Delivered& delivered : chain.deliveries) {
      if (!history.knows(delivered.key)) {
        violations.push_back("an unknown " + name_of(delivered.key) + " came to " + name_of(chain));
        continue;
      }
      const Published& message = history.all_published().at(delivered.key);
      const auto asked = [&](const Subscription& subscription) {
        return oracle_matches(plain_filter(subscription.filter), message.topic) &&
               !(subscription.no_local && message.client_id == chain.client_id);
      };
      if (std::none_of(chain.subscriptions.begin(), chain.subscriptions.end(), asked)) {
        violations.push_back(name_of(delivered.key) + " on " + message.topic + " came to " +
                             name_of(chain) + ", which did not ask for it");
      }
    }
  }
}

void check_shared(const History& history, std::vector<std::string>& violations) {
  std::map<std::string, std::set<const Chain*>> groups;
  for (const Chain& chain : history.chains()) {
    for (const Subscription& s : chain.subscriptions) {
      if (is_shared(s.filter)) groups[s.filter].insert(&chain);
    }
  }
  for (const auto& [filter, members] : groups) {
    std::map<MessageKey, int> total, exactly;
    for (const Chain* member : members) {
      for (const Delivered& delivered : member->deliveries) {
        ++total[delivered.key];
        if (delivered.qos != Qos::k2 || !history.knows(delivered.key)) continue;
        if (member->inherited && delivered.dup) continue;  // it is the one delivery, sent again
        // Only where it cannot have come for another subscription.
        const Published& message = history.all_published().at(delivered.key);
        const bool is_for_group = oracle_matches(plain_filter(filter), message.topic);
        if (is_for_group && copies_max(*member, message) == 1) ++exactly[delivered.key];
      }
    }
    for (const auto& [key, times] : exactly) {
      if (times > 1) violations.push_back("P2: " + name_of(key) + " came twice to " + filter);
    }
    for (const auto& [key, message] : history.all_published()) {
      if (message.qos == Qos::k0 || !message.acked || total.contains(key)) continue;
      if (std::any_of(members.begin(), members.end(), [&](const Chain* member) {
            return may_have_taken(*member, filter, message, history);
          })) {
        continue;
      }
      const auto stayed = [&](const Chain* member) {
        return member->alive && member->connected &&
               std::any_of(member->subscriptions.begin(), member->subscriptions.end(),
                           [&](const Subscription& s) {
                             return s.filter == filter && must_have(s, message);
                           });
      };
      if (std::any_of(members.begin(), members.end(), stayed)) {
        violations.push_back("P1: acknowledged " + name_of(key) + " reached no member of " +
                             filter);
      }
    }
  }
}

std::vector<std::string> check_history(const History& history) {
  std::vector<std::string> violations = history.violations();
  check_no_acked_lost(history, violations);
  check_exactly_once(history, violations);
  check_order(history, violations);
  check_only_asked_for(history, violations);
  check_shared(history, violations);
  return violations;
}

}  // namespace shoal::sim
