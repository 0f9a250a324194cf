// The only file that includes spdlog: its bounded queue and writing thread carry finished lines.
#include "node/config/log.h"

#include <poll.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>

#include "node/config/log_rate.h"

namespace shoal {
namespace {

int64_t unix_time_ms() {
  using std::chrono::duration_cast;
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return duration_cast<std::chrono::milliseconds>(since_epoch).count();
}

// Runs in the writing thread alone, so it needs no lock. It also tells of dropped lines: they can
// only have been dropped while it was at work, and it looks after each line.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  DescriptorSink(const LogOptions& options)
      : format_(options.format), node_(options.node), fd_(options.fd) {}

  void watch(spdlog::details::thread_pool* pool) { pool_ = pool; }
  void end() { is_ending_.store(true, std::memory_order_relaxed); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string line(message.payload.data(), message.payload.size());
    line += '\n';
    write(line);
    tell_of_drops();
  }
  void flush_() override {}

  void tell_of_drops() {
    const uint64_t dropped = pool_->overrun_counter();
    if (dropped == told_) return;
    write(log_line_of(format_, unix_time_ms(), LogLevel::kWarning, node_, "log lines dropped",
                      {{"count", dropped - told_}, {"total", dropped}}) +
          "\n");
    told_ = dropped;
  }

  // A pipe that poll() calls writable takes PIPE_BUF bytes without blocking, so the writing thread
  // is never stuck inside write() and can be told to end.
  void write(std::string_view text) {
    while (!text.empty() && wait_until_writable()) {
      const ssize_t written = ::write(fd_, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
      if (written < 0 && errno != EINTR && errno != EAGAIN) return;  // nobody is there to be told
      if (written > 0) text.remove_prefix(static_cast<size_t>(written));
    }
  }

  bool wait_until_writable() {
    while (true) {
      pollfd waiting{.fd = fd_, .events = POLLOUT, .revents = 0};
      if (::poll(&waiting, 1, patience_ > 0 ? kPollMs : 0) > 0) return true;
      if (is_ending_.load(std::memory_order_relaxed) && --patience_ <= 0) return false;
    }
  }

  static constexpr int kPollMs = 100;

  const LogFormat format_;
  const std::string node_;
  const int fd_;
  spdlog::details::thread_pool* pool_ = nullptr;
  uint64_t told_ = 0;
  std::atomic<bool> is_ending_{false};
  int patience_ = 10;  // polls in vain while ending, for all lines together
};

}  // namespace

struct Log::Writer {
  explicit Writer(const LogOptions& options)
      : sink(std::make_shared<DescriptorSink>(options)),
        pool(std::make_shared<spdlog::details::thread_pool>(options.queue_lines_max, 1)),
        logger(std::make_shared<spdlog::async_logger>(
            "shoal", sink, pool, spdlog::async_overflow_policy::overrun_oldest)) {
    sink->watch(pool.get());
  }
  ~Writer() { sink->end(); }

  std::shared_ptr<DescriptorSink> sink;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

Log::Log(const LogOptions& options)
    : format_(options.format),
      node_(options.node),
      level_(options.level),
      rate_(std::make_unique<LogRate>(options.rate_per_s)),
      writer_(std::make_unique<Writer>(options)) {}

Log::~Log() = default;

void Log::operator()(LogLevel level, std::string_view message, LogFields fields,
                     const std::source_location& place) {
  if (!is_on(level)) return;
  const int64_t now_ms = unix_time_ms();
  const LogRate::Verdict verdict = rate_->check(place, now_ms);
  if (!verdict.may_pass) return;
  writer_->logger->log(spdlog::level::critical,
                       spdlog::string_view_t(log_line_of(format_, now_ms, level, node_, message,
                                                         fields, verdict.suppressed)));
}

uint64_t Log::dropped_count() const { return writer_->pool->overrun_counter(); }

uint64_t Log::suppressed_count() const { return rate_->suppressed_total(); }

}  // namespace shoal
