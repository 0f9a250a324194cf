#include "node/serve/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/serve/metrics_text.h"

namespace shoal {
namespace {

using testing::HasSubstr;

TEST(MetricsText, LinesAndLabels) {
  MetricsText out;
  out.family("a_total", "counter", "Things.");
  out.value(uint64_t{18'446'744'073'709'551'615u});
  out.value(0.25, {{"peer", "n1"}, {"why", "a \"b\"\\\n"}});
  EXPECT_EQ(out.text(),
            "# HELP a_total Things.\n# TYPE a_total counter\n"
            "a_total 18446744073709551615\n"
            "a_total{peer=\"n1\",why=\"a \\\"b\\\"\\\\\\n\"} 0.25\n");
}

TEST(Metrics, WorkersAreAddedUp) {
  std::vector<WorkerReport> workers(2);
  workers[0].broker.connected_now = 3;
  workers[1].broker.connected_now = 4;
  workers[0].broker.publishes_in[1] = 10;
  workers[1].broker.dropped[static_cast<size_t>(DropReason::kOutputFull)] = 5;
  workers[0].lag.add(Duration{900});  // below a microsecond
  workers[1].lag.add(Duration::millis(3));
  HubStatus hub;
  hub.ready = true;
  hub.members.push_back({.name = "n1", .state = MemberState::kSelf});
  hub.members.push_back({.name = "n2", .state = MemberState::kInSync, .forwarded = 7});
  hub.members.push_back({.name = "n3", .state = MemberState::kLeft});
  const std::string text = metrics_text(workers, {{"mqtt", 7}}, hub, {.cpu_seconds = 1.5});
  for (const char* const line :
       {"\nshoal_clients 7\n", "\nshoal_messages_received_total{qos=\"1\"} 10\n",
        "\nshoal_messages_dropped_total{reason=\"output_full\"} 5\n",
        "\nshoal_listener_connections{listener=\"mqtt\"} 7\n", "\nshoal_ready 1\n",
        "\nshoal_peers 1\n", "\nshoal_peer_state{peer=\"n2\",state=\"in-sync\"} 1\n",
        "\nshoal_peer_forwarded_total{peer=\"n2\"} 7\n", "\nprocess_cpu_seconds_total 1.5\n",
        "\nshoal_turn_seconds_bucket{le=\"0.000001\"} 1\n",
        "\nshoal_turn_seconds_bucket{le=\"0.002048\"} 1\n",
        "\nshoal_turn_seconds_bucket{le=\"0.004096\"} 2\n",
        "\nshoal_turn_seconds_bucket{le=\"+Inf\"} 2\n", "\nshoal_turn_seconds_count 2\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, testing::Not(HasSubstr("n3")));
}

}  // namespace
}  // namespace shoal
