#include "node/client/ctl/rebalance.h"

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "node/client/ctl/answer.h"

namespace shoal::ctl {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kWatchInterval(1000);
constexpr std::chrono::milliseconds kAwayInterval(250);

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::string plural(int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// "3 moves left; shard 2: n4 gets a copy, 120 entries behind; waits: node n5 is away"
std::string progress_of(const json::value& answer) {
  if (answer.at("level").as_bool()) return "level";
  std::string line = plural(answer.at("moves").to_number<int64_t>(), "move") + " left";
  for (const json::value& shard : answer.at("shards").as_array()) {
    const std::string copying = text_of(shard.at("copying"));
    if (copying.empty()) continue;
    line += "; shard " + text_of(shard.at("shard")) + ": " + copying +
            (copying.find(',') == std::string::npos ? " gets a copy, " : " get copies, ") +
            plural(shard.at("lag").to_number<int64_t>(), "change") + " behind";
  }
  const std::string waits = text_of(answer.at("waits"));
  return waits.empty() ? line : line + "; waits: " + waits;
}

// A node of an earlier version does not say it.
std::string why_it_waits(const json::value& answer) {
  const json::value* const waits = answer.as_object().if_contains("leaving_waits");
  return waits == nullptr ? "" : text_of(*waits);
}

std::string still_here(int64_t here, int64_t all, const std::string& waits, bool as_json) {
  if (as_json) {
    json::object line{{"replicas_here", here}};
    if (!waits.empty()) line["waits"] = waits;
    return json::serialize(line);
  }
  return std::to_string(here) + " of " + plural(all, "replica") + " still here" +
         (waits.empty() ? "" : "; waits: " + waits);
}

}  // namespace

int watch_rebalance(const AdminClient& client, const CtlOptions& options) {
  for (std::string shown;; std::this_thread::sleep_for(kWatchInterval)) {
    const Answer answer = answer_of(client.ask("GET", "/v1/rebalance"));
    if (!answer.failure.empty()) return fail(answer.failure);
    const std::string line =
        options.json ? json::serialize(answer.value) : progress_of(answer.value);
    if (line != shown) say(line);
    shown = line;
    if (answer.value.at("level").as_bool()) return 0;
  }
}

int move_away(const AdminClient& client, const CtlOptions& options) {
  const AdminReply reply = client.ask("POST", "/v1/move-away");
  const Answer begun = answer_of(reply);
  if (!begun.failure.empty()) return fail(begun.failure);
  say(options.json ? json::serialize(begun.value) : text_of(begun.value.at("done")));
  std::optional<int64_t> all;
  std::string shown;
  for (;; std::this_thread::sleep_for(kAwayInterval)) {
    const Answer answer = answer_of(client.ask("GET", "/v1/rebalance"));
    if (!answer.failure.empty()) return fail(answer.failure);
    if (!answer.value.at("leaving").as_bool()) return 0;
    const auto here = answer.value.at("replicas_here").to_number<int64_t>();
    if (!all) all = here;
    const std::string waits = why_it_waits(answer.value);
    if (here == 0 && waits.empty()) return 0;
    const std::string line = still_here(here, *all, waits, options.json);
    if (line != shown) say(line);
    shown = line;
  }
}

}  // namespace shoal::ctl
