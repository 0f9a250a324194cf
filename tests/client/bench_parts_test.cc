#include <gtest/gtest.h>

#include "node/client/bench/bench_options.h"
#include "node/client/bench/histogram.h"
#include "node/client/bench/ledger.h"

namespace shoal::bench {
namespace {

TEST(Histogram, PercentilesAreWithinABucket) {
  Histogram histogram;
  for (int i = 1; i <= 100'000; ++i) histogram.add(Duration{i * 1000});
  const struct {
    double share;
    double ns;
  } rows[] = {{0.5, 50e6}, {0.9, 90e6}, {0.99, 99e6}, {0.999, 99.9e6}};
  for (const auto& row : rows) {
    EXPECT_NEAR(static_cast<double>(histogram.at(row.share).ns), row.ns, row.ns * 0.017);
  }
  EXPECT_EQ(histogram.at(1.0), Duration{100'000'000});
  EXPECT_EQ(histogram.max(), Duration{100'000'000});
}

TEST(Histogram, SmallAndHugeValuesHaveTheirBuckets) {
  for (const int64_t value : {0L, 1L, 63L, 64L, 65L, 127L, 128L, 1L << 40, INT64_MAX}) {
    Histogram histogram;
    histogram.add({value});
    EXPECT_EQ(histogram.at(0.5).ns, value);
  }
}

TEST(Sequence, TellsLostLateAndDoubled) {
  using Seen = Sequence::Seen;
  Sequence sequence;
  const struct {
    uint64_t number;
    Seen seen;
  } rows[] = {{1, Seen::kNext},  {2, Seen::kNext},  {5, Seen::kAhead}, {3, Seen::kLate},
              {3, Seen::kAgain}, {5, Seen::kAgain}, {6, Seen::kNext}};
  for (const auto& row : rows) EXPECT_EQ(sequence.add(row.number), row.seen) << row.number;
  EXPECT_EQ(sequence.lost(6), 1u);  // 4
  EXPECT_EQ(sequence.lost(8), 3u);  // 4, 7, 8
}

TEST(BenchOptions, MistakesNameTheirFlag) {
  const struct {
    std::vector<const char*> words;
    const char* named;
  } rows[] = {
      {{"bench"}, "pattern"},
      {{"bench", "circles"}, "circles"},
      {{"bench", "pairs", "-e", "nowhere"}, "--endpoint"},
      {{"bench", "pairs", "--publish-to", "a:0"}, "--publish-to"},
      {{"bench", "pairs", "--size", "8"}, "--size"},
      {{"bench", "pairs", "--duration", "10"}, "--duration"},
      {{"bench", "pairs", "-q", "5"}, "--qos"},
      {{"bench", "pairs", "--rate", "-1"}, "--rate"},
      {{"bench", "pairs", "--topics", "2"}, "--topics"},
      {{"bench", "pairs", "--topics", "9", "--filters", "8"}, "--topics"},
      {{"bench", "fan-in", "--filters", "8"}, "--filters"},
      {{"bench", "pairs", "--messages", "0"}, "--messages"},
      {{"bench", "pairs", "--offline"}, "--offline"},
      {{"bench", "pairs", "-q", "1", "--pause"}, "--pause"},
  };
  for (const auto& row : rows) {
    const auto parsed = bench_options_of(static_cast<int>(row.words.size()), row.words.data());
    const auto* const usage = std::get_if<ClientUsage>(&parsed);
    ASSERT_NE(usage, nullptr) << row.named;
    EXPECT_EQ(usage->status, 2);
    EXPECT_NE(usage->text.find(row.named), std::string::npos) << usage->text;
  }
}

TEST(BenchOptions, PatternsDecideTheNumbers) {
  const char* const words[] = {"bench", "fan-in", "--publishers", "7", "-e", "a:1,b:2"};
  const auto parsed = bench_options_of(6, words);
  const auto& options = std::get<BenchOptions>(parsed);
  EXPECT_EQ(options.publishers, 7u);
  EXPECT_EQ(options.subscribers, 1u);
  EXPECT_EQ(options.publish_to.size(), 2u);
  EXPECT_EQ(options.subscribe_from, options.publish_to);
}

}  // namespace
}  // namespace shoal::bench
