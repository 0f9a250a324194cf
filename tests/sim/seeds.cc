#include "tests/sim/seeds.h"

#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "shoal/mutation.h"

namespace shoal::sim {
namespace {

constexpr size_t kShownMax = 12;
constexpr uint64_t kProgressEach = 100;

void print_failure(const Run& run) {
  std::printf("%s fails: %s\n", run.name.c_str(), run.again.c_str());
}

void print(const Violations& violations) {
  for (size_t i = 0; i < violations.size() && i < kShownMax; ++i) {
    std::printf("  %s\n", violations[i].c_str());
  }
  if (violations.size() > kShownMax) {
    std::printf("  and %zu more\n", violations.size() - kShownMax);
  }
}

void print_progress(uint64_t run, uint64_t of, uint64_t failed) {
  std::printf("%llu of %llu seeds run, %llu failed\n", static_cast<unsigned long long>(run),
              static_cast<unsigned long long>(of), static_cast<unsigned long long>(failed));
}

void print_figures(const std::vector<SeedProgram::Figure>& figures,
                   const std::vector<uint64_t>& values) {
  for (size_t i = 0; i < figures.size(); ++i) {
    std::printf("%s%llu %s", i == 0 ? "" : ", ", static_cast<unsigned long long>(values[i]),
                figures[i].name.c_str());
  }
  std::printf("\n");
}

// In the child.
int judge(const Run& run, const std::function<Violations()>& body) {
  const Violations violations = body();
  if (violations.empty()) return 0;
  print_failure(run);
  print(violations);
  return 1;
}

}  // namespace

void add_seed_options(CLI::App& app, Seeds& seeds) {
  app.add_option("--seed", seeds.first);
  app.add_option("--seeds", seeds.count);
#ifdef SHOAL_MUTATIONS
  app.add_option("--mutation", mutation_on());
#endif
}

void parse_or_exit(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
}

bool run_in_child(const Run& run, const std::function<Violations()>& body,
                  std::span<uint64_t> figures) {
  int ends[2];
  std::fflush(stdout);
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child < 0) std::abort();
  const auto bytes = static_cast<ssize_t>(figures.size_bytes());
  if (child == 0) {
    const int status = judge(run, body);
    std::fflush(stdout);
    _exit(write(ends[1], figures.data(), figures.size_bytes()) == bytes ? status : 1);
  }
  close(ends[1]);
  if (read(ends[0], figures.data(), figures.size_bytes()) != bytes) {
    std::fill(figures.begin(), figures.end(), 0);
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    print_failure(run);
    print({"ended by signal " + std::to_string(WTERMSIG(status))});
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int run_seeds(const Seeds& seeds, const SeedProgram& program) {
  uint64_t failed = 0;
  std::vector<uint64_t> all(program.figures.size());
  for (uint64_t i = 0; i < seeds.count; ++i) {
    const uint64_t seed = seeds.first + i;
    const std::string text = std::to_string(seed);
    std::vector<uint64_t> figures(all.size());
    const Run run{"seed " + text, program.name + " --seed " + text + " " + program.options};
    if (!run_in_child(
            run, [&] { return program.judge(seed, figures); }, figures))
      ++failed;
    for (size_t n = 0; n < all.size(); ++n) {
      all[n] = program.figures[n].is_maximum ? std::max(all[n], figures[n]) : all[n] + figures[n];
    }
    if ((i + 1) % kProgressEach == 0) print_progress(i + 1, seeds.count, failed);
  }
  print_figures(program.figures, all);
  return finish(seeds.count, failed);
}

int finish(uint64_t run, uint64_t failed) {
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(run - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

}  // namespace shoal::sim
