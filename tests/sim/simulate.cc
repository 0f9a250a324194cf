// `./dev sim`: runs seeds, prints those that break a promise so that they can be run again alone.
#include <sys/personality.h>
#include <unistd.h>

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

[[noreturn]] void usage() {
  std::fprintf(stderr,
               "usage: simulate [--seed FIRST] [--seeds N] [--nodes N] [--workers N]\n"
               "                [--chaos SECONDS] [--no-faults] [--replay] [--trace]"
#ifdef SHOAL_MUTATIONS
               " [--mutation NAME]"
#endif
               "\n");
  std::exit(2);
}

uint64_t number_of(const char* text) {
  char* end = nullptr;
  const uint64_t value = std::strtoull(text, &end, 10);
  if (*text == '\0' || *end != '\0') usage();
  return value;
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? argv[++i] : (usage(), nullptr); };
    if (flag == "--seed") {
      arguments.first = number_of(value());
    } else if (flag == "--seeds") {
      arguments.seeds = number_of(value());
    } else if (flag == "--nodes") {
      arguments.options.nodes = static_cast<int>(number_of(value()));
    } else if (flag == "--workers") {
      arguments.options.workers = static_cast<int>(number_of(value()));
    } else if (flag == "--chaos") {
      arguments.options.chaos = shoal::Duration::seconds(static_cast<int64_t>(number_of(value())));
    } else if (flag == "--no-faults") {
      arguments.options.faults =
          shoal::sim::FaultKinds{false, false, false, false, false, false, false, false, false};
    } else if (flag == "--replay") {
      arguments.replay = true;
    } else if (flag == "--trace") {
      arguments.options.print_trace = true;
#ifdef SHOAL_MUTATIONS
    } else if (flag == "--mutation") {
      shoal::mutation_on() = value();
#endif
    } else {
      usage();
    }
  }
  return arguments;
}

bool run_seed(const Arguments& arguments, uint64_t seed, SimResult& sum) {
  SimOptions options = arguments.options;
  options.seed = seed;
  SimResult result = run_simulation(options);
  if (arguments.replay) {
    const SimResult again = run_simulation(options);
    if (again.trace_hash != result.trace_hash || again.events != result.events) {
      result.violations.push_back("the same seed ran differently the second time");
    }
  }
  sum.events += result.events;
  sum.published += result.published;
  sum.acknowledged += result.acknowledged;
  sum.delivered += result.delivered;
  sum.faults += result.faults;
  if (result.violations.empty()) return true;
  std::printf("seed %llu fails: simulate --seed %llu --nodes %d --trace\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed),
              options.nodes);
  const size_t shown_max = 12;
  for (size_t i = 0; i < result.violations.size() && i < shown_max; ++i) {
    std::printf("  %s\n", result.violations[i].c_str());
  }
  if (result.violations.size() > shown_max) {
    std::printf("  and %zu more\n", result.violations.size() - shown_max);
  }
  return false;
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
  std::printf("%llu passed, %llu failed\n",
              static_cast<unsigned long long>(arguments.seeds - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
