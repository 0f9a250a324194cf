#include "node/serve/serve_command.h"

#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "node/runtime/admin_server.h"
#include "node/serve/admin_api.h"
#include "node/serve/ending_watch.h"
#include "node/serve/process_memory.h"
#include "node/serve/running_node.h"

namespace shoal {
namespace {

constexpr auto kFiguresInterval = std::chrono::seconds(1);
// Long enough for a start; what a longer one still needs comes back.
constexpr auto kStartTime = std::chrono::seconds(10);
// Whoever stops a node waits 8 s for it. What it does in order takes less.
constexpr auto kEndingTime = std::chrono::milliseconds(7600);

// Descriptors are what a broker runs out of first, and the soft limit is usually 1,024.
void raise_file_limit(Log& log) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (before == limit.rlim_max || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  log(LogLevel::kInfo, "file limit raised", {{"from", before}, {"to", limit.rlim_max}});
}

// What the main thread does while the node runs: signals and the admin address.
class MainLoop {
 public:
  // `read_log_level` reads the configuration again.
  MainLoop(RunningNode& node, Log& log, std::function<LogLevel()> read_log_level)
      : node_(node), log_(log), read_log_level_(std::move(read_log_level)), api_(node) {}

  // What is wrong, if something is.
  std::optional<std::string> listen() {
    if (auto error = load_token()) return error;
    if (auto error = admin_.listen(node_.config().admin)) return error;
    return admin_.listen(node_.data_dir().path_of("ctl.sock"));
  }

  // Returns at SIGTERM or SIGINT; false: when the node cannot go on.
  bool run() {
    wait_for_signal();
    tell_figures();
    give_back_after_start();
    if (node_.config().sys_interval.ns > 0) tell_clients();
    node_.when_failed([this] {
      boost::asio::post(io_, [this] {
        has_failed_ = true;
        io_.stop();
      });
    });
    io_.run();
    return !has_failed_;
  }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        reload();
        return wait_for_signal();
      }
      log_(LogLevel::kInfo, "shutting down", {{"signal", signal}});
      io_.stop();
    });
  }

  void tell_figures() {
    node_.tell_figures();
    timer_.expires_after(kFiguresInterval);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) tell_figures();
    });
  }

  // Most of the pages that a start touches nothing touches again.
  void give_back_after_start() {
    start_timer_.expires_after(kStartTime);
    start_timer_.async_wait([](const boost::system::error_code& error) {
      if (!error) give_back_program_pages();
    });
  }

  void tell_clients() {
    node_.tell_clients();
    system_timer_.expires_after(std::chrono::nanoseconds(node_.config().sys_interval.ns));
    system_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) tell_clients();
    });
  }

  void reload() {
    log_(LogLevel::kInfo, "reloading");
    log_.set_level(read_log_level_());
    node_.reload();
    if (const auto error = load_token()) {
      log_(LogLevel::kError, "the admin token stays as it was", {{"error", *error}});
    }
  }

  std::optional<std::string> load_token() {
    const std::string& file = node_.config().admin_token_file;
    if (file.empty()) return std::nullopt;
    std::ifstream in(file);
    std::string token;
    if (!(in >> token)) return file + ": no token in it";
    admin_.set_token(std::move(token));
    return std::nullopt;
  }

  RunningNode& node_;
  Log& log_;
  const std::function<LogLevel()> read_log_level_;
  AdminApi api_;
  boost::asio::io_context io_{1};
  bool has_failed_ = false;
  boost::asio::steady_timer timer_{io_};
  boost::asio::steady_timer system_timer_{io_};
  boost::asio::steady_timer start_timer_{io_};
  boost::asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGHUP};
  AdminServer admin_{io_, [this](const AdminRequest& request, AdminAnswer answer) {
                       api_.handle(request, std::move(answer));
                     }};
};

}  // namespace

int run_serve(const Args& args, Streams streams) {
  auto prepared = prepare_serve(args, streams);
  if (const int* status = std::get_if<int>(&prepared)) return *status;
  const auto& [config, warnings] = std::get<Preparation>(prepared);

  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // what cannot be written is the store's to tell
  Log log({.level = config.log_level,
           .format = config.log_format,
           .node = config.node_name,
           .rate_per_s = config.log_rate});
  for (const Finding& warning : warnings) log(LogLevel::kWarning, warning.text());
  raise_file_limit(log);

  auto started = RunningNode::start(config, log);
  if (const auto* error = std::get_if<std::string>(&started)) {
    log(LogLevel::kError, *error);
    return kCannotRun;
  }
  auto node = std::get<std::unique_ptr<RunningNode>>(std::move(started));
  MainLoop loop(*node, log, [&] {
    const auto again = prepare_serve(args, streams);
    const auto* const fresh = std::get_if<Preparation>(&again);
    return fresh != nullptr ? fresh->config.log_level : log.level();
  });
  if (const auto error = loop.listen()) {
    log(LogLevel::kError, *error);
    return kCannotRun;
  }
  const bool is_well = loop.run();
  const EndingWatch watch(kEndingTime, log);
  // A node that has failed leaves as if killed: whatever waits for its disks would wait in vain.
  if (is_well) node->shut_down();
  node.reset();  // before the loop, to which its threads post answers
  log(LogLevel::kInfo, "stopped");
  return is_well ? kSuccess : kCannotRun;
}

}  // namespace shoal
