// `./dev sim`: runs seeds, prints those that break a promise so that they can be run again alone.
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "shoal/mutation.h"
#include "tests/sim/sim_cluster.h"

namespace {

using shoal::sim::run_simulation;
using shoal::sim::SimOptions;
using shoal::sim::SimResult;

struct Arguments {
  uint64_t first = 1;
  uint64_t seeds = 1;
  SimOptions options;
  bool replay = false;  // run each seed twice and compare
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  SimOptions& options = arguments.options;
  uint32_t chaos_s = 0;
  bool no_faults = false;
  CLI::App app{"Runs simulated clusters, one a seed.", "simulate"};
  app.add_option("--seed", arguments.first);
  app.add_option("--seeds", arguments.seeds);
  app.add_option("--nodes", options.nodes);
  app.add_option("--workers", options.workers);
  const CLI::Option* const chaos = app.add_option("--chaos", chaos_s, "seconds");
  app.add_flag("--no-faults", no_faults);
  app.add_flag("--replay", arguments.replay, "each seed twice, and alike");
  app.add_flag("--trace", options.print_trace);
#ifdef SHOAL_MUTATIONS
  app.add_option("--mutation", shoal::mutation_on());
#endif
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  if (chaos->count() != 0) options.chaos = shoal::Duration::seconds(chaos_s);
  if (no_faults) options.faults = shoal::sim::kNoFaults;
  return arguments;
}

// What a child tells its parent.
struct Figures {
  uint64_t events = 0;
  uint64_t published = 0;
  uint64_t acknowledged = 0;
  uint64_t delivered = 0;
  uint64_t faults = 0;
  int64_t rejoined_ns = 0;
};

void print_failure(const Arguments& arguments, uint64_t seed) {
  std::printf("seed %llu fails: simulate --seed %llu --nodes %d --trace\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed),
              arguments.options.nodes);
}

// In the child.
bool judge_seed(const Arguments& arguments, uint64_t seed, Figures& figures) {
  SimOptions options = arguments.options;
  options.seed = seed;
  SimResult result = run_simulation(options);
  if (arguments.replay) {
    const SimResult again = run_simulation(options);
    if (again.trace_hash != result.trace_hash || again.events != result.events) {
      result.violations.push_back("the same seed ran differently the second time");
    }
  }
  figures = {result.events,    result.published, result.acknowledged,
             result.delivered, result.faults,    result.rejoined.ns};
  if (result.violations.empty()) return true;
  print_failure(arguments, seed);
  const size_t shown_max = 12;
  for (size_t i = 0; i < result.violations.size() && i < shown_max; ++i) {
    std::printf("  %s\n", result.violations[i].c_str());
  }
  if (result.violations.size() > shown_max) {
    std::printf("  and %zu more\n", result.violations.size() - shown_max);
  }
  return false;
}

// In a process of its own, since an assertion ends it.
bool run_seed(const Arguments& arguments, uint64_t seed, SimResult& sum) {
  int ends[2];
  std::fflush(stdout);
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    Figures figures;
    const bool is_good = judge_seed(arguments, seed, figures);
    std::fflush(stdout);
    const ssize_t written = write(ends[1], &figures, sizeof figures);
    _exit(is_good && written == sizeof figures ? 0 : 1);
  }
  close(ends[1]);
  Figures figures;
  if (read(ends[0], &figures, sizeof figures) != sizeof figures) figures = {};
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) print_failure(arguments, seed);
  sum.events += figures.events;
  sum.published += figures.published;
  sum.acknowledged += figures.acknowledged;
  sum.delivered += figures.delivered;
  sum.faults += figures.faults;
  sum.rejoined = std::max(sum.rejoined, {figures.rejoined_ns});
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Hash tables order their entries by address: without this, two runs of the program would differ.
void fix_addresses(char** argv) {
  const int now = personality(0xffffffff);
  if (now == -1 || (now & ADDR_NO_RANDOMIZE) != 0) return;
  if (personality(static_cast<unsigned long>(now) | ADDR_NO_RANDOMIZE) == -1) return;
  execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  fix_addresses(argv);
  const Arguments arguments = parse(argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  SimResult sum;
  uint64_t failed = 0;
  for (uint64_t i = 0; i < arguments.seeds; ++i) {
    if (!run_seed(arguments, arguments.first + i, sum)) ++failed;
    if (i % 100 == 99) {
      std::printf("%llu of %llu seeds run, %llu failed\n", static_cast<unsigned long long>(i + 1),
                  static_cast<unsigned long long>(arguments.seeds),
                  static_cast<unsigned long long>(failed));
    }
  }
  std::printf(
      "%llu events, %llu faults, %llu messages published, %llu acknowledged, "
      "%llu delivered\n",
      static_cast<unsigned long long>(sum.events), static_cast<unsigned long long>(sum.faults),
      static_cast<unsigned long long>(sum.published),
      static_cast<unsigned long long>(sum.acknowledged),
      static_cast<unsigned long long>(sum.delivered));
  std::printf("the slowest cluster served again %.1f s after it healed\n",
              static_cast<double>(sum.rejoined.ns) / 1e9);
  std::printf("%llu passed, %llu failed\n",
              static_cast<unsigned long long>(arguments.seeds - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
