// What programs have in common that run simulations, one a seed: their arguments, and a process of
// its own for each run since an assertion ends it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace shoal::sim {

using Violations = std::vector<std::string>;

struct Seeds {
  uint64_t first = 1;
  uint64_t count = 1;
};

// Adds --seed, --seeds and, where deliberate mistakes are compiled in, --mutation.
void add_seed_options(CLI::App& app, Seeds& seeds);
// Ends the program, with 2, where the arguments are wrong.
void parse_or_exit(CLI::App& app, int argc, char** argv);

// Runs `body` in a child; whether it found no violations. Otherwise, also where a signal ended it,
// "NAME fails: AGAIN" is printed, with what it found. What it leaves in `figures` is there then.
struct Run {
  std::string name;
  std::string again;  // the command that does it once more
};
bool run_in_child(const Run& run, const std::function<Violations()>& body,
                  std::span<uint64_t> figures = {});

struct SeedProgram {
  std::string name;
  std::string options;  // what stands behind the seed to run it again
  struct Figure {
    std::string name;
    bool is_maximum = false;  // else a sum
  };
  std::vector<Figure> figures;
  // In the child of a seed.
  std::function<Violations(uint64_t seed, std::span<uint64_t> figures)> judge;
};
// Prints how far it is, and in the end the figures of all seeds. The program's exit status.
int run_seeds(const Seeds& seeds, const SeedProgram& program);
// Prints the last line; the same.
int finish(uint64_t run, uint64_t failed);

}  // namespace shoal::sim
