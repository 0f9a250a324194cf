// What a simulated cluster is found guilty of by looking at its nodes and at its devices together;
// checkers.cc judges by what the devices saw alone.
#include <algorithm>
#include <map>
#include <set>

#include "tests/sim/checkers.h"
#include "tests/sim/sim_cluster.h"

namespace shoal::sim {
namespace {

constexpr size_t kOpenMax = 8;  // messages that a device has open at once
constexpr size_t kMessageBytesMax = 6 * 1024;
constexpr Duration kLevelling = Duration::seconds(60);
constexpr Duration kForgetting = Duration::seconds(8);

}  // namespace

// ---- while it runs ------------------------------------------------------------------------------

void SimCluster::watch_queues() {
  for (const auto& node : nodes_) {
    if (!node->is_up()) continue;
    check_queues(*node);
    if (options_.upgrades) check_protocol_level(*node);
  }
  world_.after(Duration::millis(200), [this] { watch_queues(); });
}

// Above a limit only what its publishers had open when it was reached: they wait then.
void SimCluster::check_queues(SimNode& node) {
  const size_t open_max = kOpenMax * clients_.size();
  for (int worker = 0; worker < node.workers(); ++worker) {
    node.broker(worker).for_each_session([&](const SessionInfo& session) {
      if (session.queued <= limits_.queued_max + open_max) return;
      violation(std::to_string(session.queued) + " messages are queued for " +
                std::string(session.client_id));
    });
  }
  for (const MemberStatus& member : node.hub().status(node.now()).members) {
    if (member.queued_bytes <= limits_.forward_queue_bytes + open_max * kMessageBytesMax) continue;
    violation(std::to_string(member.queued_bytes) + " bytes wait at n" +
              std::to_string(node.number()) + " for " + member.name);
  }
}

// ---- at the end ---------------------------------------------------------------------------------

// For the trace.
void SimCluster::note_shards(SimNode& node) {
  for (const ShardStatus& each : node.hub().status(node.now()).shards) {
    world_.note("n" + std::to_string(node.number()) + ": shard " + std::to_string(each.shard) +
                (each.is_leader ? " led here"
                 : each.is_here ? " here"
                                : " elsewhere") +
                ", leader " + std::to_string(each.leader.value) + " of term " +
                std::to_string(each.term) + ", last " + std::to_string(each.last) + ", commit " +
                std::to_string(each.commit) + ", applied " + std::to_string(each.applied));
  }
}

void SimCluster::check_ready(const char* when) {
  const auto is_ready = [](const auto& node) { return node->is_ready(); };
  if (!std::all_of(nodes_.begin(), nodes_.end(), is_ready)) {
    for (const auto& node : nodes_) note_shards(*node);
  }
  for (const auto& node : nodes_) {
    if (node->is_ready()) continue;
    violation("n" + std::to_string(node->number()) + " is not ready " + when + ": " +
              node->hub().status(node->now()).reason);
  }
}

void SimCluster::check_settled() {
  for (const auto& client : clients_) {
    const std::string& id = client->plan().client_id;
    if (client->finished() || id == kTwin) continue;
    if (!client->connected()) violation(id + " has no connection at the end");
    if (!client->subscribed()) violation(id + " waits for a SUBACK at the end");
    if (!client->idle()) violation(id + " waits for an acknowledgement at the end");
  }
}

// Nothing is broken any more: every probe is acknowledged and reaches everyone who is subscribed, at
// QoS 0 too unless the outputs are so small that it may be dropped and counted.
void SimCluster::check_probes(size_t chains_before) {
  for (size_t i = chains_before; i < history_.chains().size(); ++i) {
    const std::string& id = history_.chains()[i].client_id;
    if (id != kTwin) violation(id + "'s session ended while nothing broke");
  }
  for (const MessageKey& key : probes_) {
    const Published& probe = history_.published(key);
    if (probe.qos != Qos::k0 && !probe.acked) violation("a probe was not acknowledged");
    for (const Chain& chain : history_.chains()) {
      if (!chain.alive || !chain.connected || chain.client_id == kTwin) continue;
      const auto wants = [&](const Subscription& s) {
        const bool may_drop =
            history_.may_overflow() && (probe.qos == Qos::k0 || s.granted == Qos::k0);
        return !may_drop && s.suback && !s.ended && !s.filter.starts_with("$share/") &&
               !(s.no_local && probe.client_id == chain.client_id) &&
               oracle_matches(s.filter, probe.topic);
      };
      if (std::none_of(chain.subscriptions.begin(), chain.subscriptions.end(), wants)) continue;
      if (!has(chain, key)) {
        violation("a probe on " + probe.topic + " at QoS " +
                  std::to_string(static_cast<int>(probe.qos)) + " did not reach " +
                  chain.client_id);
      }
    }
  }
}

void SimCluster::check_newcomer(const SimClient& late) {
  if (!late.subscribed()) return violation("a newcomer waits for its SUBACK");
  const Chain& chain = history_.chain(late.chain());
  for (const MessageKey& key : probes_) {
    const Published& probe = history_.published(key);
    if (!probe.retain || !probe.acked) continue;
    const auto is_it = [&](const Delivered& one) { return one.key == key && one.retain; };
    if (std::none_of(chain.deliveries.begin(), chain.deliveries.end(), is_it)) {
      violation("a newcomer did not get what is retained on " + probe.topic);
    }
  }
}

// Every hub holds the same routes and the same retained messages.
void SimCluster::check_nodes_agree() {
  std::set<uint64_t> routes, retained;
  for (const auto& node : nodes_) {
    routes.insert(node->hub().routes_digest());
    retained.insert(node->hub().retained_digest());
  }
  if (routes.size() != 1) violation("the nodes' routes differ after healing");
  if (retained.size() != 1) violation("the nodes' retained messages differ after healing");
}

// Every replica comes to the same state at the same index.
void SimCluster::check_hash(uint32_t shard, uint64_t index, uint64_t hash) {
  const auto [it, is_new] = hashes_.try_emplace({shard, index}, hash);
  if (it->second == hash) return;
  violation("replicas of shard " + std::to_string(shard) + " differ at " + std::to_string(index));
}

// A node that lost its data and came back at another address left a member behind that is waited for
// until somebody removes it, or replace-after is over.
bool SimCluster::has_lost_member() const {
  const HubStatus status = nodes_[0]->hub().status(nodes_[0]->now());
  return std::any_of(
      status.members.begin(), status.members.end(), [this](const MemberStatus& member) {
        return member.state != MemberState::kLeft &&
               std::none_of(nodes_.begin(), nodes_.end(),
                            [&member](const auto& node) { return node->id() == member.id; });
      });
}

// Every replica is where it should be, as every node knows.
void SimCluster::check_level() {
  if (has_lost_member()) return;
  const auto is_level = [](const PlacementStatus& shard) {
    return shard.leader && shard.learners.empty() && shard.voters == shard.wanted;
  };
  const auto is_all_level = [&is_level](const auto& node) {
    const HubStatus status = node->hub().status(node->now());
    return status.level_waits.empty() &&
           std::all_of(status.placements.begin(), status.placements.end(), is_level);
  };
  const Instant end = world_.now() + kLevelling;
  while (world_.now() < end && !std::all_of(nodes_.begin(), nodes_.end(), is_all_level)) {
    world_.run_until(world_.now() + Duration::millis(200));
  }
  world_.run_until(world_.now() + kForgetting);
  for (const auto& node : nodes_) {
    if (is_all_level(node)) continue;
    const HubStatus status = node->hub().status(node->now());
    std::string text = "n" + std::to_string(node->number()) + " knows of replicas to be moved";
    if (!status.level_waits.empty()) text += ", waits: " + status.level_waits;
    for (const PlacementStatus& shard : status.placements) {
      if (is_level(shard)) continue;
      const ShardStatus& known = status.shards[shard.shard];
      text += "; shard " + std::to_string(shard.shard) + " led by " +
              std::to_string(known.leader.value) + " in term " + std::to_string(known.term) + ":";
      for (const NodeId id : shard.voters) text += " " + std::to_string(id.value);
      for (const NodeId id : shard.learners) text += " +" + std::to_string(id.value);
      text += ", wanted:";
      for (const NodeId id : shard.wanted) text += " " + std::to_string(id.value);
    }
    violation(text);
  }
}

// Replicas are alike, and nothing is on its way from shard to shard.
void SimCluster::check_stores() {
  const HubStatus status = nodes_[0]->hub().status(nodes_[0]->now());
  for (uint32_t shard = 0; shard < shards_; ++shard) {
    std::set<uint64_t> hashes;
    for (const auto& node : nodes_) {
      const std::vector<NodeId>& voters = status.placements[shard].voters;
      const replica::ShardServer* const server = node->server(shard);
      if (server == nullptr) continue;
      if (std::find(voters.begin(), voters.end(), node->id()) == voters.end()) {
        if (server->state().applied() == 0) continue;
        violation("n" + std::to_string(node->number()) + " keeps a state of shard " +
                  std::to_string(shard) + ", which it has no replica of");
        continue;
      }
      server->state().check_invariants();
      hashes.insert(server->state().hash());
      if (server->state().meta().outbox == 0) continue;
      violation(std::to_string(server->state().meta().outbox) + " are in the outbox of shard " +
                std::to_string(shard) + " at n" + std::to_string(node->number()));
    }
    if (hashes.size() != 1) {
      violation("shard " + std::to_string(shard) + " has " + std::to_string(hashes.size()) +
                " states in the end");
    }
  }
}

void SimCluster::check_one_connection_each() {
  std::map<std::string, int> connections;
  for (const auto& node : nodes_) {
    for (int worker = 0; worker < node->workers(); ++worker) {
      node->broker(worker).for_each_session(
          [&](const SessionInfo& session) { ++connections[std::string(session.client_id)]; });
    }
  }
  for (const auto& [client_id, count] : connections) {
    if (count > 1) violation("P4: " + client_id + " has " + std::to_string(count) + " connections");
  }
}

}  // namespace shoal::sim
