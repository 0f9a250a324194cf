// `./dev raft-sim`: runs seeds, or the schedules by hand.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <span>
#include <string>
#include <utility>

#include "tests/raft/directed.h"
#include "tests/raft/sim_options.h"
#include "tests/sim/seeds.h"

namespace {

using shoal::raft::sim::run_simulation;
using shoal::raft::sim::SimOptions;
using shoal::raft::sim::SimResult;
using shoal::sim::Seeds;
using shoal::sim::Violations;

struct Arguments {
  Seeds seeds;
  int nodes = 3;
  std::string mix = "mix";
  bool directed = false;
  bool replay = false;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Runs simulated Raft groups, one a seed.", "raft_sim"};
  shoal::sim::add_seed_options(app, arguments.seeds);
  app.add_option("--nodes", arguments.nodes)->check(CLI::IsMember({1, 3, 5}));
  app.add_option("--mix", arguments.mix)->check([&](const std::string& mix) {
    SimOptions probe;
    const bool is_known = shoal::raft::sim::set_mix(mix, arguments.nodes, probe);
    return is_known ? "" : "expected plain, mix, hard, slow or grows, got " + mix;
  });
  app.add_flag("--directed", arguments.directed, "the schedules by hand");
  app.add_flag("--replay", arguments.replay, "each seed twice, and alike");
  shoal::sim::parse_or_exit(app, argc, argv);
  return arguments;
}

Violations judge(const Arguments& arguments, uint64_t seed, std::span<uint64_t> figures) {
  SimOptions options;
  shoal::raft::sim::set_mix(arguments.mix, arguments.nodes, options);
  options.seed = seed;
  SimResult result = run_simulation(options);
  if (arguments.replay && run_simulation(options).hash != result.hash) {
    result.violations.push_back("the same seed ran differently the second time");
  }
  figures[0] = result.events;
  figures[1] = result.faults;
  figures[2] = result.acknowledged;
  figures[3] = result.terms;
  figures[4] = result.changes;
  figures[5] = result.transfers;
  figures[6] = result.installs;
  return std::move(result.violations);
}

int run_all_directed() {
  uint64_t failed = 0;
  const std::vector<std::string> names = shoal::raft::sim::directed_names();
  for (const std::string& name : names) {
    const bool is_good = shoal::sim::run_in_child({"schedule " + name, "raft_sim --directed"}, [&] {
      const std::string failure = shoal::raft::sim::run_directed(name);
      return failure.empty() ? Violations() : Violations{failure};
    });
    if (!is_good) ++failed;
  }
  return shoal::sim::finish(names.size(), failed);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (arguments.directed) return run_all_directed();
  return shoal::sim::run_seeds(
      arguments.seeds,
      {.name = "raft_sim",
       .options = "--nodes " + std::to_string(arguments.nodes) + " --mix " + arguments.mix,
       .figures = {{"events"},
                   {"faults"},
                   {"acknowledged"},
                   {"terms"},
                   {"changes"},
                   {"transfers"},
                   {"installs"}},
       .judge = [&arguments](uint64_t seed, std::span<uint64_t> figures) {
         return judge(arguments, seed, figures);
       }});
}
