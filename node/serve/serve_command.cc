#include "node/serve/serve_command.h"

#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <ostream>

#include "node/serve/running_node.h"

namespace shoal {
namespace {

// Descriptors are what a broker runs out of first, and the soft limit is usually 1,024.
void raise_file_limit(Log& log) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (before == limit.rlim_max || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  log(LogLevel::kInfo, "file limit raised", {{"from", before}, {"to", limit.rlim_max}});
}

// What the main thread does while the node runs.
class SignalLoop {
 public:
  SignalLoop(RunningNode& node, Log& log) : node_(node), log_(log) { wait(); }
  void run() { io_.run(); }

 private:
  void wait() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        log_(LogLevel::kInfo, "reloading");
        node_.reload();
        return wait();
      }
      log_(LogLevel::kInfo, "shutting down", {{"signal", signal}});
      io_.stop();
    });
  }

  RunningNode& node_;
  Log& log_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGHUP};
};

}  // namespace

int run_serve(const Args& args, Streams streams) {
  auto prepared = prepare_serve(args, streams);
  if (const int* status = std::get_if<int>(&prepared)) return *status;
  const auto& [config, warnings] = std::get<Preparation>(prepared);

  std::signal(SIGPIPE, SIG_IGN);
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
  RunningNode& node = *std::get<std::unique_ptr<RunningNode>>(started);
  SignalLoop(node, log).run();
  node.shut_down();
  log(LogLevel::kInfo, "stopped");
  return kSuccess;
}

}  // namespace shoal
