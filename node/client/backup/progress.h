// How far a long command is: a bar where a person looks, else a line now and then. On standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace shoal::backup {

class Progress {
 public:
  enum class Kind : uint8_t { kNone, kBar, kLines };
  // As fits standard error.
  static Kind kind_of_terminal();

  // `what`: "backup", "restore", ...
  Progress(Kind kind, std::string what) : kind_(kind), what_(std::move(what)) {}
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void begin(uint64_t bytes);  // that are to come, about
  void add(uint64_t bytes);
  // The bar goes; what is printed then begins a line of its own.
  void finish();

  uint64_t done() const { return done_; }
  double seconds() const;
  // "backup  42 %  812.0 of 1930.5 MiB  61.2 MiB/s  18 s left"
  std::string text() const;

 private:
  using Clock = std::chrono::steady_clock;
  void show();

  const Kind kind_;
  const std::string what_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  Clock::time_point begun_ = Clock::now();
  Clock::time_point shown_ = begun_;
  bool is_bar_there_ = false;
};

}  // namespace shoal::backup
