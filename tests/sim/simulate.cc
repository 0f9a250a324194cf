// `./dev sim`: runs seeds, prints those that break a promise so that they can be run again alone.
#include <sys/personality.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <span>
#include <string>
#include <utility>

#include "tests/sim/seeds.h"
#include "tests/sim/sim_cluster.h"

namespace {

using shoal::sim::run_simulation;
using shoal::sim::Seeds;
using shoal::sim::SimOptions;
using shoal::sim::SimResult;
using shoal::sim::Violations;

struct Arguments {
  Seeds seeds;
  SimOptions options;
  bool replay = false;  // run each seed twice and compare
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  SimOptions& options = arguments.options;
  uint32_t chaos_s = 0;
  bool no_faults = false;
  CLI::App app{"Runs simulated clusters, one a seed.", "simulate"};
  shoal::sim::add_seed_options(app, arguments.seeds);
  app.add_option("--nodes", options.nodes);
  app.add_option("--workers", options.workers);
  const CLI::Option* const chaos = app.add_option("--chaos", chaos_s, "seconds");
  app.add_flag("--grows", options.grows, "nodes join, and one leaves");
  app.add_flag("--upgrades", options.upgrades, "of nodes, from the version before");
  app.add_flag("--backups", options.backups, "backups are taken all the while");
  app.add_flag("--moves", options.moves_clients, "clients go from worker to worker");
  app.add_flag("--no-faults", no_faults);
  app.add_flag("--replay", arguments.replay, "each seed twice, and alike");
  app.add_flag("--trace", options.print_trace);
  shoal::sim::parse_or_exit(app, argc, argv);
  if (chaos->count() != 0) options.chaos = shoal::Duration::seconds(chaos_s);
  if (no_faults) options.faults = shoal::sim::kNoFaults;
  return arguments;
}

Violations judge(const Arguments& arguments, uint64_t seed, std::span<uint64_t> figures) {
  SimOptions options = arguments.options;
  options.seed = seed;
  SimResult result = run_simulation(options);
  if (arguments.replay) {
    const SimResult again = run_simulation(options);
    if (again.trace_hash != result.trace_hash || again.events != result.events) {
      result.violations.push_back("the same seed ran differently the second time");
    }
  }
  figures[0] = result.events;
  figures[1] = result.faults;
  figures[2] = result.published;
  figures[3] = result.acknowledged;
  figures[4] = result.delivered;
  figures[6] = result.backups;
  figures[7] = result.moves;
  figures[5] = static_cast<uint64_t>(result.rejoined.ns) / 1'000'000;
  return std::move(result.violations);
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
  return shoal::sim::run_seeds(
      arguments.seeds, {.name = "simulate",
                        .options = "--nodes " + std::to_string(arguments.options.nodes) +
                                   (arguments.options.grows ? " --grows" : "") +
                                   (arguments.options.upgrades ? " --upgrades" : "") +
                                   (arguments.options.backups ? " --backups" : "") +
                                   (arguments.options.moves_clients ? " --moves" : "") + " --trace",
                        .figures = {{"events"},
                                    {"faults"},
                                    {"messages published"},
                                    {"acknowledged"},
                                    {"delivered"},
                                    {"ms from healing until all served, at most", true},
                                    {"backups"},
                                    {"clients moved"}},
                        .judge = [&arguments](uint64_t seed, std::span<uint64_t> figures) {
                          return judge(arguments, seed, figures);
                        }});
}
