// The lists of the admin address: sessions, subscriptions, retained messages. Each ends at kRowsMax
// rows and says so, since a list of a million would be made in one turn of a worker.
#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "cluster/engine/store_engine.h"
#include "node/codec/topic_check.h"
#include "node/runtime/clock.h"
#include "node/serve/admin_api.h"
#include "node/serve/gathering.h"
#include "node/serve/json_response.h"

namespace shoal {
namespace {

namespace json = boost::json;

constexpr size_t kRowsMax = 10'000;
// Stored sessions of a shard that are looked at for those whose client is not here: its thread stands
// still for so long.
constexpr size_t kLooksMax = 50'000;

json::object json_of(const SessionInfo& session, WorkerIndex worker) {
  return {{"client", session.client_id},
          {"user", session.user},
          {"address", session.address},
          {"connected", true},
          {"subscriptions", session.subscriptions},
          {"queued", session.queued},
          {"inflight", session.inflight},
          {"worker", worker}};
}

// Its client is not here.
json::object json_of(std::string_view client_id, const shard::SessionRecord& session,
                     int64_t now_ms) {
  const auto left_ms = static_cast<int64_t>(session.expires_at) - now_ms;
  return {{"client", client_id},
          {"user", session.user},
          {"address", ""},
          {"connected", false},
          {"subscriptions", session.subscriptions},
          {"queued", session.queue.queued},
          {"inflight", 0},
          {"expires_s",
           session.expires_at == 0 ? json::value() : std::max<int64_t>(left_ms, 0) / 1000}};
}

json::object json_of(std::string_view client_id, std::string_view filter,
                     const SubscriptionOptions& options) {
  return {{"client", client_id},
          {"filter", filter},
          {"qos", static_cast<int>(options.qos)},
          {"no_local", options.no_local},
          {"retain_as_published", options.retain_as_published},
          {"identifier", options.identifier}};
}

json::object json_of(const Message& message, Instant now) {
  json::object object = {{"topic", message.topic()},
                         {"qos", static_cast<int>(message.qos())},
                         {"bytes", message.payload().size()},
                         {"expires_in_s", nullptr}};
  if (message.expires_at() != Instant::never()) {
    object["expires_in_s"] = (message.expires_at() - now).to_seconds();
  }
  return object;
}

// The rows that all workers gave, under `name`.
AdminResponse list_response(const char* name, std::vector<json::array> parts,
                            bool truncated = false) {
  json::array all;
  for (json::array& part : parts) {
    for (json::value& row : part) {
      truncated |= all.size() == kRowsMax;
      if (all.size() < kRowsMax) all.push_back(std::move(row));
    }
  }
  return json_response({{name, std::move(all)}, {"truncated", truncated}});
}

// One row more than is shown tells that there are more.
bool is_full(const json::array& rows) { return rows.size() > kRowsMax; }

std::string parameter(const AdminRequest& request, const char* name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

// Adds a list of those whose client is not here, whichever thread has them.
class AbsentSessions {
 public:
  explicit AbsentSessions(std::vector<json::array>& lists) : lists_(lists) {}

  void add(const replica::ShardServer& server) {
    if (!server.is_serving()) return;
    json::array list;
    size_t looks = 0;
    server.state().for_each_session(
        [&](std::string_view client_id, const shard::SessionRecord& session) {
          if (++looks > kLooksMax) return false;
          if (!session.attached) list.push_back(json_of(client_id, session, now().wall_ms));
          return !is_full(list);
        });
    const std::lock_guard lock(mutex_);
    is_cut_ |= looks > kLooksMax;
    lists_.push_back(std::move(list));
  }
  // There may be more.
  bool is_cut() const { return is_cut_; }

 private:
  bool is_cut_ = false;
  std::mutex mutex_;
  std::vector<json::array>& lists_;
};

// Asks the hub for one portion after the other, so that it serves others between them.
struct RetainedList {
  std::string filter;
  std::string after;
  json::array rows;
  AdminAnswer answer;
};

void next_portion(HubThread& hub, const std::shared_ptr<RetainedList>& list) {
  const Now time = now();
  RetainedTree::Portion portion = hub.hub().retained(list->filter, list->after, time);
  for (const MessageRef& message : portion.messages) {
    if (!is_full(list->rows)) list->rows.push_back(json_of(*message, time.mono));
  }
  if (portion.done || is_full(list->rows)) {
    std::vector<json::array> parts;
    parts.push_back(std::move(list->rows));
    return list->answer(list_response("retained", std::move(parts)));
  }
  list->after = std::move(portion.after);
  hub.run_task([list](HubThread& self) { next_portion(self, list); });
}

}  // namespace

// The absent ones are those of the shards that this node leads: each is in one node's list.
void AdminApi::sessions(const AdminRequest&, AdminAnswer answer) {
  const auto part = [](Worker& worker) {
    json::array list;
    worker.broker().for_each_session([&](const SessionInfo& session) {
      if (!is_full(list)) list.push_back(json_of(session, worker.index()));
    });
    return list;
  };
  const auto add_absent = [this, answer = std::move(answer)](std::vector<json::array> parts) {
    auto all = std::make_shared<std::vector<json::array>>(std::move(parts));
    node_.hub().run_task([all, answer](HubThread& hub) {
      const auto absent = std::make_shared<AbsentSessions>(*all);
      hub.store().look(
          [absent](uint32_t, const replica::ShardServer& server) { absent->add(server); },
          [all, absent, answer] {
            answer(list_response("sessions", std::move(*all), absent->is_cut()));
          });
    });
  };
  Gathering<json::array>::start(node_.workers(), part, add_absent);
}

void AdminApi::subscriptions(const AdminRequest& request, AdminAnswer answer) {
  const auto part = [client = parameter(request, "client")](Worker& worker) {
    json::array list;
    worker.broker().for_each_subscription(
        client, [&](std::string_view id, std::string_view filter, const SubscriptionOptions& how) {
          if (!is_full(list)) list.push_back(json_of(id, filter, how));
        });
    return list;
  };
  Gathering<json::array>::start(node_.workers(), part,
                                [answer = std::move(answer)](std::vector<json::array> parts) {
                                  answer(list_response("subscriptions", std::move(parts)));
                                });
}

void AdminApi::retained(const AdminRequest& request, AdminAnswer answer) {
  auto list = std::make_shared<RetainedList>();
  list->filter = parameter(request, "filter");
  if (list->filter.empty()) list->filter = "#";
  if (is_shared_filter(list->filter) || check_topic_filter(list->filter)) {
    return answer(error_response(400, "filter: expected one such as plant/+/state"));
  }
  list->answer = std::move(answer);
  node_.hub().run_task([list](HubThread& self) { next_portion(self, list); });
}

}  // namespace shoal
