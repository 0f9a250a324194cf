// Runs seeds of the store's simulation, each in a process of its own since an assertion ends it.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>

#include "shoal/mutation.h"
#include "tests/replica/store_run.h"

namespace {

using shoal::replica::test::run_store;
using shoal::replica::test::StoreResult;
using shoal::replica::test::StoreRun;

struct Arguments {
  uint64_t first = 1;
  uint64_t seeds = 1;
  int nodes = 3;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Runs simulated stores, one a seed.", "store_sim"};
  app.add_option("--seed", arguments.first);
  app.add_option("--seeds", arguments.seeds);
  app.add_option("--nodes", arguments.nodes)->check(CLI::IsMember({1, 3, 5}));
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

int run_seed(const Arguments& arguments, uint64_t seed) {
  const StoreResult result = run_store({.seed = seed, .nodes = arguments.nodes});
  const size_t shown_max = 12;
  for (size_t i = 0; i < result.violations.size() && i < shown_max; ++i) {
    std::printf("  %s\n", result.violations[i].c_str());
  }
  if (arguments.seeds == 1) {
    std::printf("%llu faults, %llu promised, %llu received, %llu copies, %zu violations\n",
                static_cast<unsigned long long>(result.faults),
                static_cast<unsigned long long>(result.promised),
                static_cast<unsigned long long>(result.received),
                static_cast<unsigned long long>(result.installed), result.violations.size());
  }
  return result.violations.empty() ? 0 : 1;
}

bool is_good(const Arguments& arguments, uint64_t seed) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    const int status = run_seed(arguments, seed);
    std::fflush(stdout);
    _exit(status);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  std::printf("seed %llu fails: store_sim --seed %llu --nodes %d\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed),
              arguments.nodes);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  uint64_t failed = 0;
  for (uint64_t seed = arguments.first; seed < arguments.first + arguments.seeds; ++seed) {
    if (!is_good(arguments, seed)) ++failed;
  }
  std::printf("%llu passed, %llu failed\n",
              static_cast<unsigned long long>(arguments.seeds - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
