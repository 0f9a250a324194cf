#include "node/serve/metrics.h"

#include <algorithm>
#include <span>

#include "node/cli/version.h"
#include "node/serve/metrics_text.h"

namespace shoal {
namespace {

constexpr std::string_view kCounter = "counter";
constexpr std::string_view kGauge = "gauge";

template <class Of>
struct Row {
  uint64_t Of::*what;
  std::string_view type;
  std::string_view name;
  std::string_view help;
};

constexpr Row<BrokerCounters> kBrokerRows[] = {
    {&BrokerCounters::connections_now, kGauge, "shoal_connections", "Open client connections."},
    {&BrokerCounters::connected_now, kGauge, "shoal_clients", "Connected clients."},
    {&BrokerCounters::sessions_now, kGauge, "shoal_sessions",
     "Sessions of clients here: connecting, connected, or gone with publishes unaccepted."},
    {&BrokerCounters::subscriptions_now, kGauge, "shoal_subscriptions",
     "Subscriptions of sessions."},
    {&BrokerCounters::queued_now, kGauge, "shoal_queued_messages",
     "Messages that wait for sessions."},
    {&BrokerCounters::queued_bytes_now, kGauge, "shoal_queued_bytes", "Bytes of queued messages."},
    {&BrokerCounters::tickets_now, kGauge, "shoal_unaccepted_publishes",
     "Publishes whose acknowledgement waits for others to accept them."},
    {&BrokerCounters::parked_now, kGauge, "shoal_parked_publishes",
     "Publishes that wait for this node's lease."},
    {&BrokerCounters::accepts, kCounter, "shoal_connections_accepted_total",
     "Connections accepted."},
    {&BrokerCounters::connects, kCounter, "shoal_connects_total", "CONNECTs that succeeded."},
    {&BrokerCounters::connects_refused, kCounter, "shoal_connects_refused_total",
     "CONNECTs that were refused, or never came."},
    {&BrokerCounters::bytes_in, kCounter, "shoal_mqtt_bytes_received_total",
     "Bytes of packets from clients."},
    {&BrokerCounters::bytes_out, kCounter, "shoal_mqtt_bytes_sent_total",
     "Bytes of packets to clients."},
    {&BrokerCounters::packets_in, kCounter, "shoal_packets_received_total",
     "Packets from clients."},
    {&BrokerCounters::packets_out, kCounter, "shoal_packets_sent_total", "Packets to clients."},
    {&BrokerCounters::payload_bytes_in, kCounter, "shoal_payload_bytes_received_total",
     "Bytes of payloads from clients."},
    {&BrokerCounters::payload_bytes_out, kCounter, "shoal_payload_bytes_sent_total",
     "Bytes of payloads to clients."},
    {&BrokerCounters::forwarded, kCounter, "shoal_forwarded_total",
     "Messages forwarded to other nodes."},
    {&BrokerCounters::forwarded_local, kCounter, "shoal_forwarded_local_total",
     "Messages forwarded to other workers of this node."},
    {&BrokerCounters::forwards_in, kCounter, "shoal_forwards_received_total",
     "Messages forwarded to this node's workers."},
    {&BrokerCounters::retained_sent, kCounter, "shoal_retained_sent_total",
     "Retained messages sent to new subscriptions."},
    {&BrokerCounters::redelivered, kCounter, "shoal_redelivered_total",
     "Messages sent again with DUP."},
    {&BrokerCounters::handed_on, kCounter, "shoal_shared_handed_on_total",
     "Messages of shared subscriptions picked again, as a connected member did not acknowledge."},
    {&BrokerCounters::takeovers, kCounter, "shoal_takeovers_total",
     "Connections that lost their client id."},
    {&BrokerCounters::moves, kCounter, "shoal_connections_moved_total",
     "Connections that went to another worker of the node, to be nearer to who they publish to."},
    {&BrokerCounters::protocol_errors, kCounter, "shoal_protocol_errors_total",
     "Connections closed for what their client sent."},
};

constexpr Row<WorkerFigures> kRuntimeRows[] = {
    {&WorkerFigures::turns, kCounter, "shoal_turns_total", "Turns of the workers."},
    {&WorkerFigures::reads, kCounter, "shoal_reads_total", "Reads of client sockets."},
    {&WorkerFigures::writes, kCounter, "shoal_writes_total", "Writes to client sockets."},
    {&WorkerFigures::bytes_read, kCounter, "shoal_bytes_read_total",
     "Bytes read from client sockets."},
    {&WorkerFigures::bytes_written, kCounter, "shoal_bytes_written_total",
     "Bytes written to client sockets."},
    {&WorkerFigures::refused, kCounter, "shoal_connections_refused_total",
     "Connections closed because there were too many."},
    {&WorkerFigures::failed_openings, kCounter, "shoal_failed_openings_total",
     "PROXY headers, TLS and WebSocket handshakes that failed."},
};

constexpr Row<MemberStatus> kMemberRows[] = {
    {&MemberStatus::forwarded, kCounter, "shoal_peer_forwarded_total",
     "Messages sent to the node."},
    {&MemberStatus::received, kCounter, "shoal_peer_received_total",
     "Messages received from the node."},
    {&MemberStatus::queued_bytes, kGauge, "shoal_peer_queued_bytes",
     "Bytes that wait for the node."},
};

template <class Of>
void add_sums(MetricsText& out, std::span<const Row<Of>> rows,
              const std::vector<WorkerReport>& workers, Of WorkerReport::*part) {
  for (const Row<Of>& row : rows) {
    uint64_t sum = 0;
    for (const WorkerReport& worker : workers) sum += (worker.*part).*row.what;
    out.family(row.name, row.type, row.help);
    out.value(sum);
  }
}

void add_messages(MetricsText& out, const BrokerCounters& sum) {
  static constexpr std::string_view kQos[] = {"0", "1", "2"};
  out.family("shoal_messages_received_total", kCounter, "PUBLISH packets from clients.");
  for (size_t qos = 0; qos < 3; ++qos) out.value(sum.publishes_in[qos], {{"qos", kQos[qos]}});
  out.family("shoal_messages_sent_total", kCounter, "PUBLISH packets to clients.");
  for (size_t qos = 0; qos < 3; ++qos) out.value(sum.publishes_out[qos], {{"qos", kQos[qos]}});
  out.family("shoal_messages_dropped_total", kCounter,
             "Messages that did not reach who wanted them.");
  for (size_t i = 0; i < kDropReasons; ++i) {
    out.value(sum.dropped[i], {{"reason", name_of(static_cast<DropReason>(i))}});
  }
}

// How long turns take is how long an event may wait for the loop.
void add_lag(MetricsText& out, const std::vector<WorkerReport>& workers) {
  out.family("shoal_turn_seconds", "histogram", "How long the workers' turns take.");
  uint64_t count = 0;
  uint64_t sum_ns = 0;
  for (size_t bucket = 0; bucket < LoopLag::kBuckets; ++bucket) {
    for (const WorkerReport& worker : workers) count += worker.lag.count(bucket);
    const bool is_last = bucket + 1 == LoopLag::kBuckets;
    const std::string bound =
        is_last ? "+Inf" : std::to_string(static_cast<double>(uint64_t{1} << bucket) / 1e6);
    out.part("_bucket", static_cast<double>(count), {{"le", bound}});
  }
  for (const WorkerReport& worker : workers) sum_ns += worker.lag.sum_ns();
  out.part("_sum", static_cast<double>(sum_ns) / 1e9);
  out.part("_count", static_cast<double>(count));
}

void add_hub(MetricsText& out, const HubStatus& hub) {
  const struct {
    uint64_t value;
    std::string_view type;
    std::string_view name;
    std::string_view help;
  } rows[] = {
      {hub.ready ? 1u : 0u, kGauge, "shoal_ready", "1 when /readyz says so."},
      {hub.draining ? 1u : 0u, kGauge, "shoal_draining", "1 while clients are sent away."},
      {hub.routes, kGauge, "shoal_routes", "Routes of all workers of all nodes."},
      {hub.claims, kGauge, "shoal_claims", "Client ids that are this node's."},
      {hub.retained, kGauge, "shoal_retained_messages", "Retained messages."},
      {hub.retained_bytes, kGauge, "shoal_retained_bytes", "Bytes of retained messages."},
      {hub.forwarded_dropped, kCounter, "shoal_forwards_dropped_total",
       "Messages for a node that was gone."},
      {hub.retained_dropped, kCounter, "shoal_retained_dropped_total",
       "Retained messages above the limit."},
      {hub.level, kGauge, "shoal_protocol_level",
       "Version of the protocol that the cluster is at."},
      {hub.protocol_max, kGauge, "shoal_protocol_max", "Latest version that this node speaks."},
  };
  for (const auto& row : rows) {
    out.family(row.name, row.type, row.help);
    out.value(row.value);
  }
}

void add_shards(MetricsText& out, const HubStatus& hub) {
  if (hub.shards.empty()) return;
  out.family("shoal_shards_without_leader", kGauge, "Shards that nobody is known to lead.");
  out.value(static_cast<uint64_t>(std::count_if(
      hub.shards.begin(), hub.shards.end(), [](const ShardStatus& each) { return !each.leader; })));
  out.family("shoal_shard_leader", kGauge, "1 for a shard that this node leads.");
  for (const ShardStatus& each : hub.shards) {
    out.value(uint64_t{each.is_leader}, {{"shard", std::to_string(each.shard)}});
  }
  const struct {
    uint64_t ShardStatus::*what;
    std::string_view name;
    std::string_view help;
  } rows[] = {
      {&ShardStatus::commit, "shoal_shard_commit_index", "Last entry that is committed."},
      {&ShardStatus::applied, "shoal_shard_applied_index", "Last entry that is applied here."},
      {&ShardStatus::sessions, "shoal_shard_sessions", "Durable sessions."},
      {&ShardStatus::attached, "shoal_shard_sessions_attached",
       "Durable sessions whose clients are connected."},
      {&ShardStatus::expired, "shoal_shard_sessions_expired", "Durable sessions that expired."},
      {&ShardStatus::queued, "shoal_shard_queued_messages", "Messages that wait for sessions."},
      {&ShardStatus::bytes, "shoal_shard_message_bytes", "Bytes of all messages."},
  };
  for (const auto& row : rows) {
    out.family(row.name, kGauge, row.help);
    for (const ShardStatus& each : hub.shards) {
      if (each.is_here) out.value(each.*row.what, {{"shard", std::to_string(each.shard)}});
    }
  }
  out.family("shoal_store_dropped_total", kCounter,
             "Messages that durable sessions lost by a limit, of shards led here.");
  for (const auto& [reason, count] : hub.store_dropped) out.value(count, {{"reason", reason}});
}

void add_peers(MetricsText& out, const HubStatus& hub) {
  std::vector<const MemberStatus*> peers;
  for (const MemberStatus& member : hub.members) {
    const bool is_peer = member.state != MemberState::kSelf && member.state != MemberState::kLeft;
    if (is_peer) peers.push_back(&member);
  }
  const auto in_sync = std::count_if(peers.begin(), peers.end(), [](const MemberStatus* peer) {
    return peer->state == MemberState::kInSync;
  });
  out.family("shoal_peers", kGauge, "Nodes that this one is in sync with.");
  out.value(static_cast<uint64_t>(in_sync));
  if (peers.empty()) return;
  out.family("shoal_peer_state", kGauge, "1 for the state that the node is in.");
  for (const MemberStatus* peer : peers) {
    out.value(uint64_t{1}, {{"peer", peer->name}, {"state", name_of(peer->state)}});
  }
  out.family("shoal_peer_rtt_seconds", kGauge, "Round trip of the last heartbeat.");
  for (const MemberStatus* peer : peers) {
    out.value(static_cast<double>(peer->rtt.ns) / 1e9, {{"peer", peer->name}});
  }
  for (const Row<MemberStatus>& row : kMemberRows) {
    out.family(row.name, row.type, row.help);
    for (const MemberStatus* peer : peers) out.value(peer->*row.what, {{"peer", peer->name}});
  }
}

void add_process(MetricsText& out, const ProcessFigures& process) {
  out.family("shoal_info", kGauge, "The program.");
  out.value(uint64_t{1}, {{"version", kVersion}});
  out.family("shoal_uptime_seconds", kGauge, "Since the start.");
  out.value(static_cast<double>(process.uptime.ns) / 1e9);
  out.family("shoal_log_lines_dropped_total", kCounter, "Log lines that nobody took in time.");
  out.value(process.log_lines_dropped);
  out.family("shoal_credential_checks_waiting", kGauge, "Passwords that wait to be verified.");
  out.value(process.credential_checks_waiting);
  out.family("process_cpu_seconds_total", kCounter, "CPU time, user and system.");
  out.value(process.cpu_seconds);
  out.family("process_resident_memory_bytes", kGauge, "Resident memory.");
  out.value(process.resident_bytes);
  out.family("process_max_fds", kGauge, "Descriptors that may be open.");
  out.value(process.open_files_max);
}

}  // namespace

BrokerCounters sum_of(const std::vector<WorkerReport>& workers) {
  BrokerCounters sum;
  for (const WorkerReport& worker : workers) {
    for (const auto& row : kBrokerRows) sum.*row.what += worker.broker.*row.what;
    for (size_t i = 0; i < 3; ++i) {
      sum.publishes_in[i] += worker.broker.publishes_in[i];
      sum.publishes_out[i] += worker.broker.publishes_out[i];
    }
    for (size_t i = 0; i < kDropReasons; ++i) sum.dropped[i] += worker.broker.dropped[i];
  }
  return sum;
}

std::string metrics_text(const std::vector<WorkerReport>& workers,
                         const std::vector<ListenerFigures>& listeners, const HubStatus& hub,
                         const ProcessFigures& process) {
  MetricsText out;
  add_process(out, process);
  add_sums<BrokerCounters>(out, kBrokerRows, workers, &WorkerReport::broker);
  add_messages(out, sum_of(workers));
  add_sums<WorkerFigures>(out, kRuntimeRows, workers, &WorkerReport::runtime);
  out.family("shoal_listener_connections", kGauge, "Open connections of a listener.");
  for (const ListenerFigures& listener : listeners) {
    out.value(uint64_t{listener.connections}, {{"listener", listener.name}});
  }
  add_lag(out, workers);
  add_hub(out, hub);
  add_shards(out, hub);
  add_peers(out, hub);
  return out.text();
}

}  // namespace shoal
