#include "node/config/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>
#include <thread>

#include "node/config/log_rate.h"

namespace shoal {
namespace {

constexpr int64_t kTime = 1'795'423'083'007;  // 2026-11-23T08:38:03.007Z

std::string text_of(LogFields fields) {
  return log_line_of(LogFormat::kText, kTime, LogLevel::kInfo, "n1", "message", fields);
}

std::string json_of(LogFields fields) {
  return log_line_of(LogFormat::kJson, kTime, LogLevel::kInfo, "n1", "message", fields);
}

TEST(LogLine, Forms) {
  EXPECT_EQ(text_of({{"port", 1883}, {"ok", true}, {"ratio", 0.5}, {"delta", -3}}),
            "2026-11-23T08:38:03.007Z info message port=1883 ok=true ratio=0.5 delta=-3");
  EXPECT_EQ(json_of({{"port", 1883}, {"ok", true}, {"ratio", 0.5}, {"who", "a b"}}),
            R"({"time":"2026-11-23T08:38:03.007Z","level":"info","node":"n1","message":"message",)"
            R"("port":1883,"ok":true,"ratio":0.5,"who":"a b"})");
  EXPECT_EQ(log_line_of(LogFormat::kJson, 0, LogLevel::kError, "", "x", {}, 7),
            R"({"time":"1970-01-01T00:00:00.000Z","level":"error","message":"x","suppressed":7})");
}

TEST(LogLine, HostileValuesStayInsideTheirField) {
  struct Case {
    std::string value;
    const char* text;  // as in the text form
    const char* json;
  };
  const Case cases[] = {
      {"plain/topic-1", "plain/topic-1", R"("plain/topic-1")"},
      {"", R"("")", R"("")"},
      {"two words", R"("two words")", R"("two words")"},
      {"a=b", R"("a=b")", R"("a=b")"},
      {"a\"b\\c", R"("a\"b\\c")", R"("a\"b\\c")"},
      {"x\n2026 forged", R"("x\n2026 forged")", R"("x\n2026 forged")"},
      {"\x1b[31m", R"("\u001b[31m")", R"("\u001b[31m")"},
      {std::string("a\0b", 3), R"("a\u0000b")", R"("a\u0000b")"},
      {"\x7f", R"("\u007f")", R"("\u007f")"},
      {"\xc2\x9b", R"("\u009b")", R"("\u009b")"},  // a terminal's one-byte escape
      {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"", "\"gr\xc3\xbc\xc3\x9f\""},
      {"\xff", R"("\ufffd")", R"("\ufffd")"},
      {"\xc3", R"("\ufffd")", R"("\ufffd")"},                                  // cut short
      {"\xc0\xaf", R"("\ufffd\ufffd")", R"("\ufffd\ufffd")"},                  // overlong
      {"\xed\xa0\x80", R"("\ufffd\ufffd\ufffd")", R"("\ufffd\ufffd\ufffd")"},  // a surrogate
      {"\xf4\x90\x80\x80", R"("\ufffd\ufffd\ufffd\ufffd")", R"("\ufffd\ufffd\ufffd\ufffd")"},
  };
  for (const auto& [value, text, json] : cases) {
    EXPECT_TRUE(text_of({{"k", value}}).ends_with(std::string(" k=") + text)) << value;
    EXPECT_TRUE(json_of({{"k", value}}).ends_with(std::string("\"k\":") + json + "}")) << value;
  }
  EXPECT_LT(text_of({{"k", std::string(70'000, 'x')}}).size(), 5000u);
  EXPECT_TRUE(json_of({{"k", std::numeric_limits<double>::infinity()}}).ends_with(":null}"));
}

TEST(LogRateTest, SuppressesAndTells) {
  LogRate rate(2);
  const auto here = std::source_location::current();
  EXPECT_TRUE(rate.check(here, 1000).may_pass);
  EXPECT_TRUE(rate.check(here, 1100).may_pass);
  EXPECT_FALSE(rate.check(here, 1200).may_pass);
  EXPECT_FALSE(rate.check(here, 1999).may_pass);
  const auto elsewhere = std::source_location::current();
  EXPECT_TRUE(rate.check(elsewhere, 1999).may_pass);
  const auto next = rate.check(here, 2000);
  EXPECT_TRUE(next.may_pass);
  EXPECT_EQ(next.suppressed, 2u);
  EXPECT_EQ(rate.check(here, 2001).suppressed, 0u);
  EXPECT_EQ(rate.suppressed_total(), 2u);
  LogRate unlimited(0);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(unlimited.check(here, 1000).may_pass);
}

// A pipe in place of standard error.
class LogTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe2(fds_, O_CLOEXEC), 0); }
  void TearDown() override {
    if (fds_[0] >= 0) close(fds_[0]);
    if (fds_[1] >= 0) close(fds_[1]);
  }
  LogOptions options() const { return {.fd = fds_[1]}; }

  std::string read_all() {
    close(fds_[1]);
    fds_[1] = -1;
    std::string all;
    char buffer[4096];
    for (ssize_t count; (count = read(fds_[0], buffer, sizeof buffer)) > 0;) {
      all.append(buffer, static_cast<size_t>(count));
    }
    return all;
  }

  int fds_[2] = {-1, -1};
};

TEST_F(LogTest, WritesWhatItsLevelLetsThrough) {
  {
    Log log(options());
    log(LogLevel::kDebug, "unseen");
    log(LogLevel::kInfo, "seen", {{"n", 1}});
    log.set_level(LogLevel::kDebug);
    log(LogLevel::kDebug, "seen too");
    log.set_level(LogLevel::kError);
    log(LogLevel::kWarning, "unseen");
    EXPECT_FALSE(log.is_on(LogLevel::kWarning));
  }
  const std::string all = read_all();
  EXPECT_NE(all.find(" info seen n=1\n"), std::string::npos) << all;
  EXPECT_NE(all.find(" debug seen too\n"), std::string::npos) << all;
  EXPECT_EQ(all.find("unseen"), std::string::npos) << all;
}

TEST_F(LogTest, BeyondItsQueueLinesAreDroppedAndCounted) {
  LogOptions small = options();
  small.queue_lines_max = 4;
  small.rate_per_s = 0;
  std::string all;
  {
    Log log(small);
    const std::string filler(4000, 'x');  // the pipe holds 64 KiB: the writer is soon stuck
    for (int i = 0; i < 100; ++i) log(LogLevel::kInfo, "line", {{"filler", filler}});
    EXPECT_GT(log.dropped_count(), 0u);
    std::thread reader([&] {
      char buffer[4096];
      for (ssize_t count; (count = read(fds_[0], buffer, sizeof buffer)) > 0;) {
        all.append(buffer, static_cast<size_t>(count));
        if (all.find("log lines dropped count=") != std::string::npos) break;
      }
    });
    reader.join();
  }
  EXPECT_NE(all.find(" warning log lines dropped count="), std::string::npos);
}

TEST_F(LogTest, EndsBesideAReaderThatIsStuck) {
  LogOptions endless = options();
  endless.rate_per_s = 0;
  const auto start = std::chrono::steady_clock::now();
  {
    Log log(endless);
    for (int i = 0; i < 100; ++i) log(LogLevel::kInfo, "x", {{"y", std::string(4000, 'x')}});
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

TEST_F(LogTest, ManyThreadsShareIt) {
  LogOptions roomy = options();
  roomy.rate_per_s = 0;
  {
    Log log(roomy);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&log, thread] {
        for (int i = 0; i < 100; ++i) log(LogLevel::kInfo, "m", {{"t", thread}, {"i", i}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  const std::string all = read_all();
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 400);
}

}  // namespace
}  // namespace shoal
