#include "node/client/ctl/ctl_command.h"

#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "node/client/backup/http_client.h"
#include "node/client/ctl/admin_client.h"
#include "node/client/ctl/answer.h"
#include "node/client/ctl/rebalance.h"
#include "node/config/values.h"

namespace shoal {
namespace {

namespace json = boost::json;
using ctl::AdminClient;
using ctl::AdminReply;
using ctl::Answer;
using ctl::answer_of;
using ctl::CtlOptions;
using ctl::fail;
using ctl::text_of;
using ctl::Verb;

constexpr std::chrono::milliseconds kPollInterval(250);

struct Column {
  const char* title;
  const char* key;
};

constexpr Column kMemberColumns[] = {
    {"NAME", "name"},           {"ID", "id"},          {"ADDRESS", "address"},
    {"STATE", "state"},         {"READY", "ready"},    {"CLIENTS", "clients"},
    {"ROUTES", "routes"},       {"IN", "messages_in"}, {"OUT", "messages_out"},
    {"FORWARDED", "forwarded"}, {"RTT ms", "rtt_ms"},  {"SPEAKS", "speaks"}};
constexpr Column kShardColumns[] = {
    {"SHARD", "shard"},     {"LEADER", "leader"}, {"TERM", "term"},         {"COMMIT", "commit"},
    {"APPLIED", "applied"}, {"LAG", "lag"},       {"SESSIONS", "sessions"}, {"QUEUED", "queued"},
    {"BYTES", "bytes"},     {"OUTBOX", "outbox"}, {"REPLICAS", "replicas"}};
constexpr Column kPlacementColumns[] = {
    {"SHARD", "shard"},   {"LEADER", "leader"}, {"REPLICAS", "replicas"},
    {"WANTED", "wanted"}, {"MOVES", "moves"},   {"COPYING", "copying"},
    {"LAG", "lag"}};
constexpr Column kSessionColumns[] = {{"CLIENT", "client"},
                                      {"USER", "user"},
                                      {"ADDRESS", "address"},
                                      {"CONNECTED", "connected"},
                                      {"SUBSCRIPTIONS", "subscriptions"},
                                      {"QUEUED", "queued"},
                                      {"IN FLIGHT", "inflight"}};

constexpr Column kSubscriptionColumns[] = {{"CLIENT", "client"},
                                           {"FILTER", "filter"},
                                           {"QOS", "qos"},
                                           {"NO LOCAL", "no_local"},
                                           {"RETAIN AS PUBLISHED", "retain_as_published"},
                                           {"IDENTIFIER", "identifier"}};
constexpr Column kRetainedColumns[] = {
    {"TOPIC", "topic"}, {"QOS", "qos"}, {"BYTES", "bytes"}, {"EXPIRES IN s", "expires_in_s"}};

template <size_t N>
void print_table(const json::array& rows, const Column (&columns)[N]) {
  std::vector<std::vector<std::string>> cells(1);
  for (const Column& column : columns) cells[0].push_back(column.title);
  for (const json::value& row : rows) {
    std::vector<std::string>& line = cells.emplace_back();
    for (const Column& column : columns) {
      // A node of an earlier version may not say it.
      const json::value* const value = row.as_object().if_contains(column.key);
      line.push_back(value == nullptr ? "-" : text_of(*value));
    }
  }
  size_t widths[N] = {};
  for (const auto& line : cells) {
    for (size_t i = 0; i < N; ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const auto& line : cells) {
    for (size_t i = 0; i + 1 < N; ++i) {
      std::printf("%-*s  ", static_cast<int>(widths[i]), line[i].c_str());
    }
    std::printf("%s\n", line[N - 1].c_str());
  }
}

template <size_t N>
void print_list(const json::value& answer, const char* name, const Column (&columns)[N]) {
  const json::array& rows = answer.at(name).as_array();
  print_table(rows, columns);
  if (answer.at("truncated").as_bool()) std::printf("only the first %zu\n", rows.size());
}

struct Request {
  const char* method;
  std::string target;
};

Request request_of(const CtlOptions& options) {
  switch (options.verb) {
    case Verb::kShards: return {"GET", "/v1/shards"};
    case Verb::kRebalance: return {"GET", "/v1/rebalance"};
    case Verb::kSessions: return {"GET", "/v1/sessions"};
    case Verb::kSubscriptions:
      return {"GET", "/v1/subscriptions?client=" + backup::percent_encoded(options.subject)};
    case Verb::kRetained:
      return {"GET", "/v1/retained?filter=" + backup::percent_encoded(options.subject)};
    case Verb::kDrain:
      return {"POST", "/v1/drain?rate=" + std::to_string(options.per_second) +
                          (options.is_leaving ? "&leaving=true" : "")};
    case Verb::kLeave: return {"POST", "/v1/leave"};
    case Verb::kRemove:
      return {"POST", "/v1/remove?node=" + backup::percent_encoded(options.subject)};
    case Verb::kKick:
      return {"POST", "/v1/kick?client=" + backup::percent_encoded(options.subject)};
    default: return {"GET", "/v1/members"};
  }
}

void print(const CtlOptions& options, const json::value& answer) {
  if (options.verb == Verb::kMembers) {
    print_table(answer.at("members").as_array(), kMemberColumns);
    if (const json::value* const level = answer.as_object().if_contains("protocol_level")) {
      std::printf("the cluster is at protocol %s\n", text_of(*level).c_str());
    }
    if (!answer.at("ready").as_bool()) {
      std::printf("not ready: %s\n", text_of(answer.at("reason")).c_str());
    }
  } else if (options.verb == Verb::kShards) {
    print_table(answer.at("shards").as_array(), kShardColumns);
  } else if (options.verb == Verb::kRebalance) {
    print_table(answer.at("shards").as_array(), kPlacementColumns);
    const std::string waits = text_of(answer.at("waits"));
    if (!waits.empty()) std::printf("waits: %s\n", waits.c_str());
  } else if (options.verb == Verb::kSessions) {
    print_list(answer, "sessions", kSessionColumns);
  } else if (options.verb == Verb::kSubscriptions) {
    print_list(answer, "subscriptions", kSubscriptionColumns);
  } else if (options.verb == Verb::kRetained) {
    print_list(answer, "retained", kRetainedColumns);
  } else {
    std::printf("%s\n", text_of(answer.at("done")).c_str());
  }
}

// Prints the answer, or what is wrong; the exit status.
int ask(const AdminClient& client, const CtlOptions& options) {
  const Request request = request_of(options);
  const AdminReply reply = client.ask(request.method, request.target);
  const Answer answer = answer_of(reply);
  if (!answer.failure.empty()) return fail(answer.failure);
  if (options.json) {
    std::printf("%s", reply.body.c_str());
  } else {
    print(options, answer.value);
  }
  return 0;
}

struct Left {
  int64_t clients = 0;
  std::string failure;  // nobody could tell
};

// Until no client is left, or the time is up, with progress.
Left wait_drained(const AdminClient& client, const CtlOptions& options) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(options.patience.ns);
  for (int64_t shown = -1;;) {
    std::this_thread::sleep_for(kPollInterval);
    const Answer answer = answer_of(client.ask("GET", "/v1/clients"));
    if (!answer.failure.empty()) return {0, answer.failure};
    const auto left = answer.value.at("clients").to_number<int64_t>();
    if (left != shown) {
      std::printf(options.json ? "{\"clients\":%lld}\n" : "%lld clients left\n",
                  static_cast<long long>(left));
      std::fflush(stdout);
    }
    if (left == 0 || std::chrono::steady_clock::now() >= end) return {left, ""};
    shown = left;
  }
}

int drain(const AdminClient& client, const CtlOptions& options) {
  if (const int status = ask(client, options); status != 0) return status;
  if (!options.wait || options.per_second == 0) return 0;
  const Left left = wait_drained(client, options);
  if (!left.failure.empty()) return fail(left.failure);
  if (left.clients == 0) return 0;
  return fail("clients are still connected after " + text_of(options.patience));
}

// Replicas go first, while clients are served; then clients, one after the other, as far as the time
// allows. A node that cannot leave serves them again, and keeps what it still has.
int leave(const AdminClient& client, const CtlOptions& options) {
  if (!options.at_once) {
    if (const int status = ctl::move_away(client, options); status != 0) return status;
  }
  CtlOptions draining = options;
  draining.verb = Verb::kDrain;
  draining.is_leaving = true;
  if (const int status = ask(client, draining); status != 0) return status;
  const Left left = wait_drained(client, options);
  const int status = left.failure.empty() ? ask(client, options) : fail(left.failure);
  if (status != 0) {
    client.ask("POST", "/v1/drain?rate=0");
    client.ask("POST", "/v1/move-away?withdrawn=true");
  }
  return status;
}

int run(const CtlOptions& options) {
  const AdminClient client(options);
  switch (options.verb) {
    case Verb::kDrain: return drain(client, options);
    case Verb::kLeave: return leave(client, options);
    case Verb::kRebalance:
      return options.wait ? ctl::watch_rebalance(client, options) : ask(client, options);
    default: return ask(client, options);
  }
}

}  // namespace

int run_ctl(int argc, const char* const* argv, const ctl::RestoreFunction& restore) {
  const auto parsed = ctl::ctl_options_of(argc, argv);
  if (const auto* const usage = std::get_if<ClientUsage>(&parsed)) {
    std::fprintf(usage->status == 0 ? stdout : stderr, "%s%s\n",
                 usage->status == 0 ? "" : "shoal ctl: ", usage->text.c_str());
    return usage->status;
  }
  const CtlOptions& options = std::get<CtlOptions>(parsed);
  if (options.backup.action == ctl::BackupOptions::Action::kNone) return run(options);
  return ctl::run_backup(options, restore);
}

}  // namespace shoal
