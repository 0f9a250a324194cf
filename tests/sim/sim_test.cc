// The simulator and its judges, tested themselves: a run repeats itself, and a history that breaks a
// promise is found guilty of that promise.
#include <gtest/gtest.h>

#include "tests/sim/checkers.h"
#include "tests/sim/sim_cluster.h"

namespace shoal::sim {
namespace {

Published message(uint64_t number, Qos qos, bool acked) {
  Published record;
  record.key = {1, number};
  record.topic = "t/a";
  record.qos = qos;
  record.first_sent = Instant{2000 + static_cast<int64_t>(number)};
  if (acked) record.acked = Instant{5000};
  record.client_id = "publisher";
  record.chain = 7;
  return record;
}

Chain subscriber(Qos granted, std::vector<uint64_t> delivered, const char* filter = "t/#") {
  Chain chain;
  chain.client_id = "subscriber";
  Subscription subscription;
  subscription.filter = filter;
  subscription.granted = granted;
  subscription.suback = Instant{1000};
  chain.subscriptions.push_back(subscription);
  for (const uint64_t number : delivered) {
    chain.deliveries.push_back({{1, number}, Instant{6000}, granted, false, false});
  }
  return chain;
}

// How the violations begin, or nothing.
std::string verdict_on(const History& history) {
  const std::vector<std::string> violations = check_history(history);
  return violations.empty() ? "" : violations[0].substr(0, 2);
}

TEST(Checkers, FindWhatIsBroken) {
  const struct {
    const char* what;
    std::vector<Published> published;
    Chain chain;
    std::string verdict;
  } rows[] = {
      {"all well", {message(1, Qos::k1, true)}, subscriber(Qos::k1, {1}), ""},
      {"acknowledged and lost", {message(1, Qos::k1, true)}, subscriber(Qos::k1, {}), "P1"},
      {"not acknowledged", {message(1, Qos::k1, false)}, subscriber(Qos::k1, {}), ""},
      {"QoS 1 twice", {message(1, Qos::k1, true)}, subscriber(Qos::k1, {1, 1}), ""},
      {"QoS 2 twice", {message(1, Qos::k2, true)}, subscriber(Qos::k2, {1, 1}), "P2"},
      {"QoS 2 to a group, lost",
       {message(1, Qos::k2, true)},
       subscriber(Qos::k2, {}, "$share/g/t/#"),
       "P1"},
      {"QoS 2 to a group, twice",
       {message(1, Qos::k2, true)},
       subscriber(Qos::k2, {1, 1}, "$share/g/t/#"),
       "P2"},
      {"out of order",
       {message(1, Qos::k1, true), message(2, Qos::k1, true)},
       subscriber(Qos::k1, {2, 1}),
       "P5"},
      {"nobody asked", {message(1, Qos::k1, true)}, subscriber(Qos::k1, {1}, "u/#"), "me"},
      {"nobody sent", {}, subscriber(Qos::k1, {1}), "an"},
  };
  for (const auto& row : rows) {
    History history;
    for (const Published& record : row.published) history.add(record);
    history.begin_chain(row.chain);
    EXPECT_EQ(verdict_on(history), row.verdict) << row.what;
  }
}

// A durable session may get a message on both of its ways while a subscription changes, and no longer.
TEST(Checkers, ASubscriptionChangesUntilItsSuback) {
  const struct {
    const char* what;
    int64_t suback_s;
    std::string verdict;
  } rows[] = {
      {"the SUBACK is out", 25, ""},
      {"the SUBACK was there before", 11, "P2"},
  };
  for (const auto& row : rows) {
    Published sent = message(1, Qos::k2, true);
    sent.first_sent = Instant{} + Duration::seconds(20);
    Chain chain = subscriber(Qos::k2, {});
    chain.outlives_connection = true;
    chain.subscriptions[0].asked = Instant{} + Duration::seconds(10);
    chain.subscriptions[0].suback = Instant{} + Duration::seconds(row.suback_s);
    const Instant at = sent.first_sent + Duration::millis(100);
    chain.deliveries = {{sent.key, at, Qos::k0}, {sent.key, at, Qos::k2}};
    History history;
    history.add(sent);
    history.begin_chain(chain);
    EXPECT_EQ(verdict_on(history), row.verdict) << row.what;
  }
}

TEST(Checkers, OracleKnowsTheStandardsExamples) {
  const struct {
    const char* filter;
    const char* topic;
    bool matches;
  } rows[] = {
      {"sport/tennis/player1/#", "sport/tennis/player1", true},
      {"sport/#", "sport", true},
      {"sport/tennis/+", "sport/tennis/player1/ranking", false},
      {"sport/+", "sport", false},
      {"sport/+", "sport/", true},
      {"+/+", "/finance", true},
      {"/+", "/finance", true},
      {"+", "/finance", false},
      {"#", "$SYS/x", false},
      {"+/monitor/Clients", "$SYS/monitor/Clients", false},
      {"$SYS/#", "$SYS/x", true},
      {"a/#", "a/$b", true},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(oracle_matches(row.filter, row.topic), row.matches) << row.filter << " " << row.topic;
  }
}

TEST(Simulation, OneSeedIsOneRun) {
  SimOptions options;
  options.seed = 11;
  const SimResult first = run_simulation(options);
  const SimResult second = run_simulation(options);
  EXPECT_EQ(first.events, second.events);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_GT(first.delivered, 0u);
}

}  // namespace
}  // namespace shoal::sim
