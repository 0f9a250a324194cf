#include "node/serve/admin_api.h"

#include <sys/resource.h>

#include <boost/json.hpp>
#include <charconv>
#include <numeric>
#include <utility>

#include "node/runtime/clock.h"
#include "node/serve/gathering.h"
#include "node/serve/hex.h"
#include "node/serve/json_response.h"
#include "node/serve/member_name.h"
#include "node/serve/metrics.h"
#include "node/serve/process_memory.h"

namespace shoal {
namespace {

namespace json = boost::json;

double millis(Duration duration) { return static_cast<double>(duration.ns) / 1e6; }

json::object json_of(const MemberStatus& member) {
  return {{"id", hex(member.id.value)},
          {"name", member.name},
          {"address", member.address},
          {"state", name_of(member.state)},
          {"incarnation", member.incarnation},
          {"speaks", member.speaks},
          {"clients", member.clients},
          {"routes", member.routes},
          {"messages_in", member.messages_in},
          {"messages_out", member.messages_out},
          {"ready", member.ready},
          {"draining", member.draining},
          {"rtt_ms", millis(member.rtt)},
          {"lease_left_ms", millis(member.lease_left)},
          {"forwarded", member.forwarded},
          {"received", member.received},
          {"queued_bytes", member.queued_bytes}};
}

json::object json_of(const ShardStatus& shard, const HubStatus& status) {
  const auto name = [&status](NodeId id) { return member_name(status, id); };
  std::string replicas;
  uint64_t lag = 0;
  for (const ReplicaStatus& each : shard.replicas) {
    replicas += (replicas.empty() ? "" : ",") + name(each.node) + (each.is_voter ? "" : "+");
    lag = std::max(lag, each.lag);
  }
  json::object out{{"shard", shard.shard}, {"leader", name(shard.leader)}, {"term", shard.term}};
  const auto own = [&](const char* key, const json::value& value) {
    out[key] = shard.is_here ? value : json::value();
  };
  own("commit", shard.commit);
  own("applied", shard.applied);
  own("lag", shard.is_leader ? json::value(lag) : json::value());
  own("sessions", shard.sessions);
  own("queued", shard.queued);
  own("bytes", shard.bytes);
  own("outbox", shard.outbox);
  own("replicas", json::value(replicas));
  return out;
}

json::object json_of(const HubStatus& status) {
  json::array members;
  for (const MemberStatus& member : status.members) {
    if (member.state != MemberState::kLeft) members.push_back(json_of(member));
  }
  return {{"id", hex(status.id.value)},
          {"cluster", status.cluster ? hex(status.cluster.high) + hex(status.cluster.low) : ""},
          {"ready", status.ready},
          {"reason", status.reason},
          {"draining", status.draining},
          {"majority", status.majority},
          {"protocol_level", status.level},
          {"protocol_max", status.protocol_max},
          {"members", std::move(members)}};
}

}  // namespace

AdminApi::AdminApi(RunningNode& node)
    : node_(node),
      started_at_(mono_now()),
      routes_{{"/livez", {"GET", true, &AdminApi::livez}},
              {"/readyz", {"GET", true, &AdminApi::readyz}},
              {"/metrics", {"GET", true, &AdminApi::metrics}},
              {"/v1/members", {"GET", false, &AdminApi::members}},
              {"/v1/shards", {"GET", false, &AdminApi::shards}},
              {"/v1/rebalance", {"GET", false, &AdminApi::rebalance}},
              {"/v1/sessions", {"GET", false, &AdminApi::sessions}},
              {"/v1/clients", {"GET", false, &AdminApi::clients}},
              {"/v1/subscriptions", {"GET", false, &AdminApi::subscriptions}},
              {"/v1/retained", {"GET", false, &AdminApi::retained}},
              {"/v1/drain", {"POST", false, &AdminApi::drain}},
              {"/v1/move-away", {"POST", false, &AdminApi::move_away}},
              {"/v1/leave", {"POST", false, &AdminApi::leave}},
              {"/v1/remove", {"POST", false, &AdminApi::remove}},
              {"/v1/kick", {"POST", false, &AdminApi::kick}},
              {"/v1/backup/begin", {"POST", false, &AdminApi::begin_backup}},
              {"/v1/backup/portion", {"GET", false, &AdminApi::backup_portion}},
              {"/v1/backup/end", {"POST", false, &AdminApi::end_backup}}} {}

void AdminApi::handle(const AdminRequest& request, AdminAnswer answer) {
  const auto route = routes_.find(request.path);
  if (route == routes_.end()) return answer(error_response(404, "no such path"));
  if (!route->second.is_open && !request.is_trusted) {
    return answer(error_response(401, "needs the token, or the Unix socket"));
  }
  const bool is_read = request.method == "HEAD" && route->second.method == "GET";
  if (request.method != route->second.method && !is_read) {
    return answer(error_response(405, "expected " + route->second.method));
  }
  (this->*route->second.handle)(request, std::move(answer));
}

void AdminApi::livez(const AdminRequest&, AdminAnswer answer) { answer({200, "alive\n"}); }

void AdminApi::readyz(const AdminRequest&, AdminAnswer answer) {
  node_.hub().run_task([answer = std::move(answer)](HubThread& self) {
    const HubStatus status = self.hub().status(now());
    answer({status.ready ? 200 : 503, status.ready ? "ready\n" : status.reason + "\n"});
  });
}

void AdminApi::metrics(const AdminRequest&, AdminAnswer answer) {
  node_.hub().run_task([this, answer = std::move(answer)](HubThread& self) {
    answer({200,
            metrics_text(node_.board().all(), node_.listener_figures(), self.hub().status(now()),
                         process_figures()),
            "text/plain; version=0.0.4; charset=utf-8"});
  });
}

void AdminApi::members(const AdminRequest&, AdminAnswer answer) {
  node_.hub().run_task([answer = std::move(answer)](HubThread& self) {
    answer(json_response(json_of(self.hub().status(now()))));
  });
}

void AdminApi::shards(const AdminRequest&, AdminAnswer answer) {
  node_.hub().run_task([answer = std::move(answer)](HubThread& self) {
    const HubStatus status = self.hub().status(now());
    json::array shards;
    for (const ShardStatus& each : status.shards) shards.push_back(json_of(each, status));
    answer(json_response({{"shards", std::move(shards)}}));
  });
}

// How many are connected now; the figures of `members` are a second old.
void AdminApi::clients(const AdminRequest&, AdminAnswer answer) {
  Gathering<uint64_t>::start(
      node_.workers(), [](Worker& worker) { return worker.broker().counters().connected_now; },
      [answer = std::move(answer)](const std::vector<uint64_t>& parts) {
        const uint64_t sum = std::accumulate(parts.begin(), parts.end(), uint64_t{0});
        answer(json_response({{"clients", sum}}));
      });
}

void AdminApi::drain(const AdminRequest& request, AdminAnswer answer) {
  const auto rate = request.query.find("rate");
  DrainCommand drain;
  const std::string text = rate == request.query.end() ? "" : rate->second;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), drain.per_second);
  if (error != std::errc() || end != text.data() + text.size()) {
    return answer(error_response(400, "expected rate=CLIENTS-A-SECOND, 0 to end the draining"));
  }
  const auto leaving = request.query.find("leaving");
  drain.is_for_good = leaving != request.query.end() && leaving->second == "true";
  command(drain, std::move(answer));
}

void AdminApi::move_away(const AdminRequest& request, AdminAnswer answer) {
  const auto withdrawn = request.query.find("withdrawn");
  command(MoveAwayCommand{withdrawn != request.query.end() && withdrawn->second == "true"},
          std::move(answer));
}

void AdminApi::leave(const AdminRequest&, AdminAnswer answer) {
  command(LeaveCommand{}, std::move(answer));
}

void AdminApi::remove(const AdminRequest& request, AdminAnswer answer) {
  const auto node = request.query.find("node");
  if (node == request.query.end()) return answer(error_response(400, "expected node=NODE"));
  command(RemoveCommand{node->second}, std::move(answer));
}

void AdminApi::command(HubCommand command, AdminAnswer answer) {
  node_.hub().command(std::move(command),
                      [answer = std::move(answer)](const HubEffects::Answer& done) {
                        if (!done.ok) return answer(error_response(409, done.text));
                        answer(json_response({{"done", done.text}}));
                      });
}

void AdminApi::kick(const AdminRequest& request, AdminAnswer answer) {
  const auto client = request.query.find("client");
  if (client == request.query.end()) return answer(error_response(400, "expected client=ID"));
  const std::string id = client->second;
  Gathering<char>::start(
      node_.workers(),
      [id](Worker& worker) -> char { return worker.broker().kick(id, now()) ? 1 : 0; },
      [answer = std::move(answer)](const std::vector<char>& found) {
        const bool is_found = std::find(found.begin(), found.end(), 1) != found.end();
        if (!is_found) return answer(error_response(404, "no such client is connected here"));
        answer(json_response({{"done", "closed"}}));
      });
}

ProcessFigures AdminApi::process_figures() const {
  ProcessFigures process;
  process.uptime = mono_now() - started_at_;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  process.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  process.resident_bytes = resident_bytes();
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  process.open_files_max = files.rlim_cur;
  process.log_lines_dropped = node_.log().dropped_count();
  process.credential_checks_waiting = node_.credential_checks_waiting();
  return process;
}

}  // namespace shoal
