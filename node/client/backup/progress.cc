#include "node/client/backup/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace shoal::backup {
namespace {

constexpr std::chrono::milliseconds kBarInterval(200);
constexpr std::chrono::seconds kLineInterval(10);
constexpr double kMiB = 1024.0 * 1024.0;
constexpr size_t kBarWidth = 30;

std::string with_one_digit(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

}  // namespace

Progress::Kind Progress::kind_of_terminal() {
  return ::isatty(STDERR_FILENO) != 0 ? Kind::kBar : Kind::kLines;
}

void Progress::begin(uint64_t bytes) {
  total_ = bytes;
  begun_ = shown_ = Clock::now();
  if (kind_ == Kind::kBar) show();
}

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - begun_).count();
}

void Progress::add(uint64_t bytes) {
  done_ += bytes;
  const auto interval = kind_ == Kind::kBar ? Clock::duration(kBarInterval) : kLineInterval;
  if (kind_ != Kind::kNone && Clock::now() - shown_ >= interval) show();
}

std::string Progress::text() const {
  const double done = static_cast<double>(done_);
  const double total = static_cast<double>(std::max(total_, done_));  // the total is a guess
  const double share = total > 0 ? done / total : 0;
  const double rate = done / std::max(seconds(), 0.001);
  std::string text = what_ + "  " + std::to_string(static_cast<int>(100 * share)) + " %  " +
                     with_one_digit(done / kMiB) + " of " + with_one_digit(total / kMiB) +
                     " MiB  " + with_one_digit(rate / kMiB) + " MiB/s";
  if (rate > 0 && done < total) {
    text += "  " + std::to_string(static_cast<int64_t>((total - done) / rate)) + " s left";
  }
  return text;
}

void Progress::show() {
  shown_ = Clock::now();
  if (kind_ == Kind::kLines) {
    std::fprintf(stderr, "%s\n", text().c_str());
    return;
  }
  const double total = static_cast<double>(std::max<uint64_t>({total_, done_, 1}));
  const auto full = static_cast<size_t>(kBarWidth * (static_cast<double>(done_) / total));
  const std::string bar = std::string(full, '#') + std::string(kBarWidth - full, '.');
  // To the end of the line: an earlier text may have been longer.
  std::fprintf(stderr, "\r[%s] %s\x1b[K", bar.c_str(), text().c_str());
  std::fflush(stderr);
  is_bar_there_ = true;
}

void Progress::finish() {
  if (is_bar_there_) std::fprintf(stderr, "\r\x1b[K");
  is_bar_there_ = false;
}

}  // namespace shoal::backup
