// Structured logging: a message that is always the same words, and fields that vary.
//
//   log(LogLevel::kInfo, "listening", {{"listener", name}, {"port", port}});
//
// as text   2026-11-23T08:36:00.123Z info listening listener=mqtt@127.0.0.1:1883 port=1883
// as JSON {"time":"2026-11-23T08:36:00.123Z","level":"info","node":"n1","message":"listening",...}
//
// A line is formatted by its caller and written by one thread of the log's own: a slow standard
// error holds up nobody. What does not fit into the queue is dropped, oldest first, and counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "node/config/serve_config.h"

namespace shoal {

struct LogField {
  using Value = std::variant<std::string_view, int64_t, uint64_t, double, bool>;

  LogField(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}
  LogField(std::string_view field_key, const char* text)
      : key(field_key), value(std::string_view(text)) {}
  LogField(std::string_view field_key, const std::string& text)
      : key(field_key), value(std::string_view(text)) {}
  template <class Number>
    requires std::is_arithmetic_v<Number>
  LogField(std::string_view field_key, Number number) : key(field_key), value(widest(number)) {}

  std::string_view key;
  Value value;

 private:
  template <class Number>
  static Value widest(Number number) {
    if constexpr (std::is_same_v<Number, bool>)
      return number;
    else if constexpr (std::is_floating_point_v<Number>)
      return static_cast<double>(number);
    else if constexpr (std::is_signed_v<Number>)
      return static_cast<int64_t>(number);
    else
      return static_cast<uint64_t>(number);
  }
};

using LogFields = std::initializer_list<LogField>;

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  std::string node;               // a field of each JSON line; empty: none
  uint32_t rate_per_s = 100;      // of one place in the code, 0 = no limit; errors included
  size_t queue_lines_max = 2048;  // allocated at once, about 400 bytes each
  int fd = 2;
};

// Used by any thread at any time. Destruction writes what is queued, unless nobody reads it for a
// second: a process must be able to end beside a stuck reader of its standard error.
class Log {
 public:
  explicit Log(const LogOptions& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Beyond the rate of its place in the code a line is left out; the next one of that place that
  // is written carries how many were, as the field `suppressed`.
  void operator()(LogLevel level, std::string_view message, LogFields fields = {},
                  const std::source_location& place = std::source_location::current());

  // To skip the making of costly fields.
  bool is_on(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  LogLevel level() const { return level_.load(std::memory_order_relaxed); }

  uint64_t dropped_count() const;     // lines that the queue could not hold
  uint64_t suppressed_count() const;  // lines over the rate of their place

 private:
  struct Writer;  // spdlog's part

  const LogFormat format_;
  const std::string node_;
  std::atomic<LogLevel> level_;
  std::unique_ptr<class LogRate> rate_;
  std::unique_ptr<Writer> writer_;
};

// One line without its end; pure. `time_ms` is Unix time.
std::string log_line_of(LogFormat format, int64_t time_ms, LogLevel level, std::string_view node,
                        std::string_view message, LogFields fields, uint64_t suppressed = 0);

}  // namespace shoal
