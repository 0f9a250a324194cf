#include "node/client/ctl/ctl_command.h"

#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "node/client/ctl/admin_client.h"

namespace shoal {
namespace {

namespace json = boost::json;
using ctl::AdminClient;
using ctl::AdminReply;
using ctl::CtlOptions;
using ctl::Verb;

int fail(const std::string& text) {
  std::fprintf(stderr, "shoal ctl: %s\n", text.c_str());
  return 1;
}

std::string text_of(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  if (value.is_double()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value.get_double());
    return text;
  }
  return json::serialize(value);
}

struct Column {
  const char* title;
  const char* key;
};

constexpr Column kMemberColumns[] = {
    {"NAME", "name"},           {"ID", "id"},          {"ADDRESS", "address"},
    {"STATE", "state"},         {"READY", "ready"},    {"CLIENTS", "clients"},
    {"ROUTES", "routes"},       {"IN", "messages_in"}, {"OUT", "messages_out"},
    {"FORWARDED", "forwarded"}, {"RTT ms", "rtt_ms"}};
constexpr Column kSessionColumns[] = {{"CLIENT", "client"},
                                      {"USER", "user"},
                                      {"ADDRESS", "address"},
                                      {"CONNECTED", "connected"},
                                      {"SUBSCRIPTIONS", "subscriptions"},
                                      {"QUEUED", "queued"},
                                      {"IN FLIGHT", "inflight"}};

template <size_t N>
void print_table(const json::array& rows, const Column (&columns)[N]) {
  std::vector<std::vector<std::string>> cells(1);
  for (const Column& column : columns) cells[0].push_back(column.title);
  for (const json::value& row : rows) {
    std::vector<std::string>& line = cells.emplace_back();
    for (const Column& column : columns) line.push_back(text_of(row.as_object().at(column.key)));
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

struct Request {
  const char* method;
  std::string target;
};

Request request_of(const CtlOptions& options) {
  switch (options.verb) {
    case Verb::kSessions: return {"GET", "/v1/sessions"};
    case Verb::kDrain: return {"POST", "/v1/drain?rate=" + std::to_string(options.per_second)};
    case Verb::kLeave: return {"POST", "/v1/leave"};
    case Verb::kRemove: return {"POST", "/v1/remove?node=" + ctl::percent_encoded(options.subject)};
    case Verb::kKick: return {"POST", "/v1/kick?client=" + ctl::percent_encoded(options.subject)};
    default: return {"GET", "/v1/members"};
  }
}

void print(const CtlOptions& options, const json::value& answer) {
  if (options.verb == Verb::kMembers) {
    print_table(answer.at("members").as_array(), kMemberColumns);
    if (!answer.at("ready").as_bool()) {
      std::printf("not ready: %s\n", text_of(answer.at("reason")).c_str());
    }
  } else if (options.verb == Verb::kSessions) {
    print_table(answer.at("sessions").as_array(), kSessionColumns);
  } else {
    std::printf("%s\n", text_of(answer.at("done")).c_str());
  }
}

int64_t connected_clients(const json::value& members) {
  for (const json::value& member : members.at("members").as_array()) {
    if (member.at("state") == "self") return member.at("clients").to_number<int64_t>();
  }
  return 0;
}

// Until no client is left here.
int wait_drained(const AdminClient& client) {
  int64_t shown = -1;
  while (true) {
    const AdminReply reply = client.ask("GET", "/v1/members");
    if (reply.status != 200) return fail(reply.body);
    const int64_t left = connected_clients(json::parse(reply.body));
    if (left != shown) std::printf("%lld clients left\n", static_cast<long long>(left));
    std::fflush(stdout);
    if (left == 0) return 0;
    shown = left;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

int run(const CtlOptions& options) {
  const AdminClient client(options);
  const Request request = request_of(options);
  const AdminReply reply = client.ask(request.method, request.target);
  if (reply.status == 0) return fail(reply.body);
  boost::system::error_code broken;
  const json::value answer = json::parse(reply.body, broken);
  if (broken) return fail("the node's answer is not JSON");
  if (reply.status != 200) {
    const json::value* const why =
        answer.is_object() ? answer.as_object().if_contains("error") : nullptr;
    return fail(why != nullptr ? text_of(*why)
                               : "the node answered " + std::to_string(reply.status));
  }
  if (options.json) {
    std::printf("%s", reply.body.c_str());
  } else {
    print(options, answer);
  }
  const bool waits = options.verb == Verb::kDrain && options.wait && options.per_second != 0;
  return waits ? wait_drained(client) : 0;
}

}  // namespace

int run_ctl(int argc, const char* const* argv) {
  const auto parsed = ctl::ctl_options_of(argc, argv);
  if (const auto* const usage = std::get_if<ClientUsage>(&parsed)) {
    std::fprintf(usage->status == 0 ? stdout : stderr, "%s%s\n",
                 usage->status == 0 ? "" : "shoal ctl: ", usage->text.c_str());
    return usage->status;
  }
  return run(std::get<CtlOptions>(parsed));
}

}  // namespace shoal
