// Runs seeds of the store's simulation.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <span>
#include <string>
#include <utility>

#include "tests/replica/store_run.h"
#include "tests/sim/seeds.h"

namespace {

using shoal::replica::test::run_store;
using shoal::replica::test::StoreResult;
using shoal::sim::Seeds;
using shoal::sim::Violations;

struct Arguments {
  Seeds seeds;
  int nodes = 3;
  bool backups = false;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Runs simulated stores, one a seed.", "store_sim"};
  shoal::sim::add_seed_options(app, arguments.seeds);
  app.add_option("--nodes", arguments.nodes)->check(CLI::IsMember({1, 3, 5}));
  app.add_flag("--backups", arguments.backups, "backups are taken meanwhile, and restored");
  shoal::sim::parse_or_exit(app, argc, argv);
  return arguments;
}

Violations judge(uint64_t seed, const Arguments& arguments, std::span<uint64_t> figures) {
  StoreResult result =
      run_store({.seed = seed, .nodes = arguments.nodes, .backups = arguments.backups});
  figures[0] = result.faults;
  figures[1] = result.promised;
  figures[2] = result.received;
  figures[3] = result.installed;
  figures[4] = result.restored;
  return std::move(result.violations);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return shoal::sim::run_seeds(
      arguments.seeds,
      {.name = "store_sim",
       .options =
           "--nodes " + std::to_string(arguments.nodes) + (arguments.backups ? " --backups" : ""),
       .figures = {{"faults"}, {"promised"}, {"received"}, {"copies"}, {"restored"}},
       .judge = [&arguments](uint64_t seed, std::span<uint64_t> figures) {
         return judge(seed, arguments, figures);
       }});
}
