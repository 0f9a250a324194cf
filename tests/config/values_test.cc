#include "node/config/values.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

struct DurationCase {
  const char* text;
  std::optional<int64_t> ms;
};

TEST(Values, Durations) {
  const DurationCase cases[] = {
      {"0", 0},
      {"0s", 0},
      {"500ms", 500},
      {"20s", 20'000},
      {"5m", 300'000},
      {"1h", 3'600'000},
      {"7d", 604'800'000},
      {"106751d", int64_t{106751} * 86'400'000},  // the most that fits into nanoseconds
      {"106752d", std::nullopt},
      {"99999999999999999999s", std::nullopt},
      {"20", std::nullopt},  // seconds or milliseconds? Neither.
      {"", std::nullopt},
      {"s", std::nullopt},
      {"-1s", std::nullopt},
      {"+1s", std::nullopt},
      {"1.5s", std::nullopt},
      {"1 s", std::nullopt},
      {" 1s", std::nullopt},
      {"1s ", std::nullopt},
      {"1S", std::nullopt},
      {"1h30m", std::nullopt},
      {"none", std::nullopt},
      {"0x10s", std::nullopt},
  };
  for (const auto& [text, ms] : cases) {
    const auto read = duration_of(text);
    ASSERT_EQ(read.has_value(), ms.has_value()) << text;
    if (read) EXPECT_EQ(*read, Duration::millis(*ms)) << text;
  }
}

TEST(Values, DurationsPrintInTheLargestUnitThatIsExact) {
  const std::pair<Duration, const char*> cases[] = {
      {Duration{}, "0"},
      {Duration::millis(1), "1ms"},
      {Duration::millis(1500), "1500ms"},
      {Duration::seconds(90), "90s"},
      {Duration::seconds(120), "2m"},
      {Duration::seconds(7 * 24 * 3600), "7d"},
  };
  for (const auto& [duration, text] : cases) {
    EXPECT_EQ(text_of(duration), text);
    EXPECT_EQ(duration_of(text), duration);
  }
}

TEST(Values, Sizes) {
  const std::pair<const char*, std::optional<uint64_t>> cases[] = {
      {"0", 0},
      {"268435455", 268'435'455},
      {"1KiB", 1024},
      {"64MiB", 64u << 20},
      {"2GiB", uint64_t{2} << 30},
      {"1TiB", uint64_t{1} << 40},
      {"5kB", 5000},
      {"5MB", 5'000'000},
      {"16777216TiB", std::nullopt},  // 2^64
      {"18446744073709551616", std::nullopt},
      {"", std::nullopt},
      {"MiB", std::nullopt},
      {"64M", std::nullopt},
      {"64mib", std::nullopt},
      {"64 MiB", std::nullopt},
      {"-1", std::nullopt},
      {"1.5GiB", std::nullopt},
      {"1e3", std::nullopt},
  };
  for (const auto& [text, bytes] : cases) EXPECT_EQ(size_of(text), bytes) << text;
}

TEST(Values, Switches) {
  for (const char* text : {"true", "on", "yes", "1"}) EXPECT_EQ(switch_of(text), true) << text;
  for (const char* text : {"false", "off", "no", "0"}) EXPECT_EQ(switch_of(text), false) << text;
  for (const char* text : {"", "TRUE", "2", "y", " true"}) {
    EXPECT_EQ(switch_of(text), std::nullopt) << text;
  }
}

TEST(Values, Lists) {
  using Parts = std::vector<std::string>;
  EXPECT_EQ(split_list(""), Parts{});
  EXPECT_EQ(split_list("  "), Parts{});
  EXPECT_EQ(split_list("a"), Parts{"a"});
  EXPECT_EQ(split_list("a, b ,c"), (Parts{"a", "b", "c"}));
  EXPECT_EQ(split_list("a,,b"), (Parts{"a", "", "b"}));  // the empty part is refused later
  EXPECT_EQ(split_list(","), (Parts{"", ""}));
}

TEST(Values, NearestName) {
  const std::vector<std::string> names = {"max-inflight", "max-queued", "mqtt", "ws", "zone"};
  const std::pair<const char*, const char*> cases[] = {
      {"max-inflght", "max-inflight"},
      {"maxinflight", "max-inflight"},
      {"max-queue", "max-queued"},
      {"mqt", "mqtt"},
      {"zne", "zone"},
      {"wss", "ws"},
      {"x", ""},
      {"", ""},
      {"frobnicate", ""},
  };
  for (const auto& [name, nearest] : cases) EXPECT_EQ(nearest_name(name, names), nearest) << name;
  EXPECT_EQ(nearest_name(std::string(100'000, 'm'), names), "");
}

}  // namespace
}  // namespace shoal
