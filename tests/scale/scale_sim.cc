// `./dev bench scale`: one large cluster, put through all scenarios. The last line is what came of it, as
// JSON; docs/scaling.md is made of such lines.
#include <absl/strings/str_format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>

#include "tests/scale/heap.h"
#include "tests/scale/scenarios.h"

namespace {

using namespace shoal;
using namespace shoal::scale;

struct Arguments {
  ScaleOptions options;
  double latency_ms = 0.5;
  double turn_ms = 1;
  int idle_s = 30;
  int churn_s = 30;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  ScaleOptions& options = arguments.options;
  CLI::App app{"Measures a large cluster under the virtual clock.", "scale_sim"};
  app.add_option("--nodes", options.nodes)->check(CLI::Range(2, 64));
  app.add_option("--workers", options.workers, "of a node")->check(CLI::Range(1, kWorkersMax));
  app.add_option("--shards", options.shards, "0: no store")->check(CLI::Range(0, kShardsMax));
  app.add_option("--clients", options.clients, "of all nodes, each with a filter of its own");
  app.add_option("--shared", options.shared_filters, "filters that every worker wants");
  app.add_option("--mbit", options.mbit, "a second, of each node's pipes")
      ->check(CLI::PositiveNumber);
  app.add_option("--latency-ms", arguments.latency_ms, "one way")->check(CLI::PositiveNumber);
  app.add_option("--rate", options.rate, "clients that come to a node a second")
      ->check(CLI::PositiveNumber);
  app.add_option("--turn-ms", arguments.turn_ms, "what subscribes within it is told at once")
      ->check(CLI::PositiveNumber);
  app.add_option("--slowness", options.slowness,
                 "virtual seconds for one of a hub's on this processor; 0: its work takes no time");
  app.add_option("--idle-s", arguments.idle_s)->check(CLI::Range(1, 3600));
  app.add_option("--churn-s", arguments.churn_s)->check(CLI::Range(1, 3600));
  app.add_option("--seed", options.seed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  options.latency = {static_cast<int64_t>(arguments.latency_ms * 1e6)};
  options.turn = {static_cast<int64_t>(arguments.turn_ms * 1e6)};
  return arguments;
}

// ---- as JSON ------------------------------------------------------------------------------------

double seconds(Duration time) { return static_cast<double>(time.ns) / 1e9; }

std::string json_of(const Traffic& traffic) {
  std::string text = "{";
  for (size_t i = 0; i <= kPurposes; ++i) {
    const bool is_total = i == kPurposes;
    const auto purpose = static_cast<Purpose>(i);
    const Count count = is_total ? traffic.total() : traffic.of(purpose);
    if (count.frames == 0 && !is_total) continue;
    absl::StrAppendFormat(&text, "%s\"%s\":[%d,%d]", text.size() == 1 ? "" : ",",
                          is_total ? "all" : name_of(purpose), count.frames, count.bytes);
  }
  return text + "}";
}

// Of all nodes, and of the first.
std::string json_of(const Usage& used) {
  const Usage::Node total = used.total();
  const Usage::Node& first = used.nodes.front();
  return absl::StrFormat(
      R"("sent":%s,"first_sent":%s,"first_received":%s,"hub_s":%.6f,"first_hub_s":%.6f)",
      json_of(total.sent), json_of(first.sent), json_of(first.received), seconds(total.hub),
      seconds(first.hub));
}

std::string json_of(Times& times) {
  return absl::StrFormat("[%.6f,%.6f,%.6f]", seconds(times.quantile(0.5)),
                         seconds(times.quantile(0.99)), seconds(times.quantile(1)));
}

void print_progress(const char* what, bool is_done, Duration took) {
  std::printf("%s: %s, %.3f s\n", what, is_done ? "done" : "NOT DONE", seconds(took));
}

class Run {
 public:
  explicit Run(const Arguments& arguments) : arguments_(arguments), cluster_(arguments.options) {}

  // Whether all was done.
  bool run() {
    const Founding founding = found(cluster_);
    note("founding", founding.is_done, founding.took,
         absl::StrFormat(R"("took_s":%.6f)", seconds(founding.took)));
    Idle empty = idle(cluster_, Duration::seconds(arguments_.idle_s));
    note_idle("idle_empty", empty);
    if (all_done_) note_coming();
    Idle full = idle(cluster_, Duration::seconds(arguments_.idle_s));
    note_idle("idle_full", full);
    if (all_done_) note_churn();
    for (const uint64_t batch : {1, 10, 100}) {
      if (all_done_) note_fan(batch);
    }
    if (all_done_) note_return();
    print();
    return all_done_;
  }

 private:
  void note(const char* what, bool is_done, Duration took, const std::string& figures) {
    all_done_ = all_done_ && is_done;
    absl::StrAppendFormat(&json_, ",\"%s\":{\"done\":%s,%s}", what, is_done ? "true" : "false",
                          figures);
    print_progress(what, is_done, took);
  }

  void note_idle(const char* what, const Idle& idle) {
    note(what, idle.lapses == Duration{}, idle.took,
         absl::StrFormat(R"("took_s":%.6f,"lapses_s":%.6f,%s)", seconds(idle.took),
                         seconds(idle.lapses), json_of(idle.used)));
  }

  void note_coming() {
    Coming coming = come(cluster_);
    note("coming", coming.is_done, coming.agreed,
         absl::StrFormat(
             R"("ramp_s":%.6f,"synced_s":%.6f,"agreed_s":%.6f,"suback_s":%s,"lapses_s":%.6f,)"
             R"("worker_s":%.6f,"batches":%d,"routes":%d,%s)",
             seconds(coming.ramp), seconds(coming.synced), seconds(coming.agreed),
             json_of(coming.waits), seconds(coming.lapses), seconds(coming.worker), coming.batches,
             coming.routes, json_of(coming.used)));
  }

  void note_churn() {
    Churn moved = churn(cluster_, Duration::seconds(arguments_.churn_s));
    note("churn", moved.is_done, moved.took,
         absl::StrFormat(
             R"("took_s":%.6f,"moves":%d,"connack_s":%s,"suback_s":%s,"lapses_s":%.6f,%s)",
             seconds(moved.took), moved.moves, json_of(moved.connack), json_of(moved.suback),
             seconds(moved.lapses), json_of(moved.used)));
  }

  void note_fan(uint64_t batch) {
    const Fan fan = fan_out(cluster_, 1000, batch, 100);
    note(absl::StrFormat("fan_out_%d", batch).c_str(), fan.is_done, fan.took,
         absl::StrFormat(R"("messages":%d,"batch":%d,"last_s":%.6f,%s)", fan.messages, fan.batch,
                         seconds(fan.took), json_of(fan.used)));
  }

  void note_return() {
    const Return back = come_back(cluster_);
    note("return", back.is_done, back.ready,
         absl::StrFormat(R"("routers_bytes":%d,"hub_bytes":%d,"outage_s":%.6f,"ready_s":%.6f,)"
                         R"("worker_s":%.6f,"routes":%d,%s)",
                         back.routers_bytes, back.hub_bytes, seconds(back.outage),
                         seconds(back.ready), seconds(back.worker), back.routes,
                         json_of(back.used)));
  }

  void print() {
    const ScaleOptions& options = arguments_.options;
    const std::vector<std::string> warnings = cluster_.warnings();
    for (const std::string& line : warnings) std::printf("warning: %s\n", line.c_str());
    std::printf(
        "%s\n",
        absl::StrFormat(
            R"({"nodes":%d,"workers":%d,"shards":%d,"clients":%d,"shared":%d,"mbit":%.0f,)"
            R"("latency_s":%.6f,"rate":%.0f,"slowness":%.2f,"allocator":"%s","warnings":%d%s})",
            options.nodes, options.workers, options.shards, options.clients, options.shared_filters,
            options.mbit, seconds(options.latency), options.rate, options.slowness,
            allocator_name(), warnings.size(), json_)
            .c_str());
  }

  const Arguments arguments_;
  ScaleCluster cluster_;
  std::string json_;
  bool all_done_ = true;
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return Run(arguments).run() ? 0 : 1;
}
