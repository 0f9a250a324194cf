// `./dev raft-sim`: runs seeds, each in a process of its own since an assertion of libraft ends it.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "shoal/mutation.h"
#include "tests/raft/directed.h"
#include "tests/raft/sim_options.h"

namespace {

using shoal::raft::sim::run_simulation;
using shoal::raft::sim::SimOptions;
using shoal::raft::sim::SimResult;

struct Arguments {
  uint64_t first = 1;
  uint64_t seeds = 1;
  int nodes = 3;
  std::string mix = "mix";
  bool directed = false;
  bool replay = false;
};

// What a child tells its parent: the counters, then the text of what failed.
struct Report {
  SimResult sums;
  std::string text;
  bool is_good = false;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Runs simulated Raft groups, one a seed.", "raft_sim"};
  app.add_option("--seed", arguments.first);
  app.add_option("--seeds", arguments.seeds);
  app.add_option("--nodes", arguments.nodes)->check(CLI::IsMember({1, 3, 5}));
  app.add_option("--mix", arguments.mix)->check([&](const std::string& mix) {
    SimOptions probe;
    const bool is_known = shoal::raft::sim::set_mix(mix, arguments.nodes, probe);
    return is_known ? "" : "expected plain, mix, hard or slow, got " + mix;
  });
  app.add_flag("--directed", arguments.directed, "the schedules by hand");
  app.add_flag("--replay", arguments.replay, "each seed twice, and alike");
#ifdef SHOAL_MUTATIONS
  app.add_option("--mutation", shoal::mutation_on());
#endif
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return arguments;
}

// In the child: one line of numbers, then a line for each violation.
int run_seed(const Arguments& arguments, uint64_t seed) {
  SimOptions options;
  shoal::raft::sim::set_mix(arguments.mix, arguments.nodes, options);
  options.seed = seed;
  SimResult result = run_simulation(options);
  if (arguments.replay && run_simulation(options).hash != result.hash) {
    result.violations.push_back("the same seed ran differently the second time");
  }
  std::printf(
      "%llu %llu %llu %llu %llu %llu %llu\n", static_cast<unsigned long long>(result.events),
      static_cast<unsigned long long>(result.acknowledged),
      static_cast<unsigned long long>(result.faults), static_cast<unsigned long long>(result.terms),
      static_cast<unsigned long long>(result.changes),
      static_cast<unsigned long long>(result.transfers),
      static_cast<unsigned long long>(result.installs));
  const size_t shown_max = 6;
  for (size_t i = 0; i < result.violations.size() && i < shown_max; ++i) {
    std::printf("  %s\n", result.violations[i].c_str());
  }
  return result.violations.empty() ? 0 : 1;
}

int run_directed(const std::string& name) {
  const std::string failure = shoal::raft::sim::run_directed(name);
  if (!failure.empty()) std::printf("  %s\n", failure.c_str());
  return failure.empty() ? 0 : 1;
}

// Runs `body` in a child; what it prints, and whether it ended well.
template <class Body>
Report in_child(const Body& body) {
  int ends[2];
  std::fflush(stdout);
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    const int status = body();
    std::fflush(stdout);
    _exit(status);
  }
  close(ends[1]);
  Report report;
  char buffer[4096];
  for (ssize_t size; (size = read(ends[0], buffer, sizeof buffer)) > 0;) {
    report.text.append(buffer, static_cast<size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  report.is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (WIFSIGNALED(status))
    report.text += "  ended by signal " + std::to_string(WTERMSIG(status)) + "\n";
  return report;
}

void add(const Report& report, SimResult& sums) {
  unsigned long long n[7] = {};
  std::sscanf(report.text.c_str(), "%llu %llu %llu %llu %llu %llu %llu", &n[0], &n[1], &n[2], &n[3],
              &n[4], &n[5], &n[6]);
  sums.events += n[0];
  sums.acknowledged += n[1];
  sums.faults += n[2];
  sums.terms += n[3];
  sums.changes += n[4];
  sums.transfers += n[5];
  sums.installs += n[6];
}

uint64_t run_seeds(const Arguments& arguments, SimResult& sums) {
  uint64_t failed = 0;
  for (uint64_t i = 0; i < arguments.seeds; ++i) {
    const uint64_t seed = arguments.first + i;
    const Report report = in_child([&] { return run_seed(arguments, seed); });
    add(report, sums);
    if (!report.is_good) {
      ++failed;
      std::printf("seed %llu fails: raft_sim --seed %llu --nodes %d --mix %s\n%s",
                  static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed),
                  arguments.nodes, arguments.mix.c_str(), report.text.c_str());
    }
    if (i % 500 == 499) {
      std::printf("%llu of %llu seeds run, %llu failed\n", static_cast<unsigned long long>(i + 1),
                  static_cast<unsigned long long>(arguments.seeds),
                  static_cast<unsigned long long>(failed));
    }
  }
  return failed;
}

int finish(uint64_t run, uint64_t failed) {
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(run - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

int run_all_directed() {
  uint64_t failed = 0;
  const std::vector<std::string> names = shoal::raft::sim::directed_names();
  for (const std::string& name : names) {
    const Report report = in_child([&] { return run_directed(name); });
    if (report.is_good) continue;
    ++failed;
    std::printf("schedule %s fails:\n%s", name.c_str(), report.text.c_str());
  }
  return finish(names.size(), failed);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (arguments.directed) return run_all_directed();
  SimResult sums;
  const uint64_t failed = run_seeds(arguments, sums);
  std::printf(
      "%llu events, %llu faults, %llu acknowledged, %llu terms, %llu changes, %llu transfers, "
      "%llu installs\n",
      static_cast<unsigned long long>(sums.events), static_cast<unsigned long long>(sums.faults),
      static_cast<unsigned long long>(sums.acknowledged),
      static_cast<unsigned long long>(sums.terms), static_cast<unsigned long long>(sums.changes),
      static_cast<unsigned long long>(sums.transfers),
      static_cast<unsigned long long>(sums.installs));
  return finish(arguments.seeds, failed);
}
