#include "node/client/bench/process_stats.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace shoal::bench {
namespace {

// /proc/PID/schedstat has nanoseconds but only of one thread; the sum over a process's threads loses
// those that ended, so the clock ticks of /proc/PID/stat are the honest figure.
bool add(int pid, ProcessStats& sum) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return false;
  // The second field is the name in brackets, which may hold anything.
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  int64_t user = 0, system = 0, pages = 0;
  fields >> user >> system;
  for (int field = 16; field < 24; ++field) fields >> skipped;
  fields >> pages;
  sum.cpu = sum.cpu + Duration{(user + system) * (1'000'000'000 / sysconf(_SC_CLK_TCK))};
  sum.rss_bytes += static_cast<uint64_t>(pages * sysconf(_SC_PAGESIZE));
  return static_cast<bool>(fields);
}

}  // namespace

std::optional<ProcessStats> stats_of(const std::vector<int>& pids) {
  ProcessStats sum;
  for (const int pid : pids) {
    if (!add(pid, sum)) return std::nullopt;
  }
  return sum;
}

}  // namespace shoal::bench
