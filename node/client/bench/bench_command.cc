#include "node/client/bench/bench_command.h"

#include <cstdio>
#include <string>

#include "node/client/bench/load.h"

namespace shoal {
namespace {

using bench::BenchOptions;
using bench::LoadResult;
using bench::Pattern;

double seconds(Duration span) { return static_cast<double>(span.ns) / 1e9; }
double micros(Duration span) { return static_cast<double>(span.ns) / 1e3; }

// What CPU time is divided by.
uint64_t units_of(const BenchOptions& options, const LoadResult& result) {
  return options.pattern == Pattern::kConnect ? result.connects : result.delivered;
}

void print_table(const BenchOptions& options, const LoadResult& result) {
  std::printf("%s, QoS %d, %u byte payloads, %.1f s measured\n", options.pattern_name.c_str(),
              static_cast<int>(options.qos), options.payload_bytes, seconds(result.measured));
  const uint64_t units = units_of(options, result);
  if (options.pattern == Pattern::kConnect) {
    std::printf("  connects           %12.0f /s\n",
                static_cast<double>(result.connects) / seconds(result.measured));
  } else if (options.pattern != Pattern::kIdle) {
    std::printf("  sent               %12.0f /s\n",
                static_cast<double>(result.sent) / seconds(result.measured));
    std::printf("  delivered          %12.0f /s\n",
                static_cast<double>(result.delivered) / seconds(result.measured));
    std::printf("  lost               %12llu\n",
                static_cast<unsigned long long>(result.verdict.lost));
    std::printf("  duplicated         %12llu\n",
                static_cast<unsigned long long>(result.verdict.duplicated));
    std::printf("  out of order       %12llu\n",
                static_cast<unsigned long long>(result.verdict.out_of_order));
  }
  if (result.latency.count() > 0) {
    std::printf("  latency us         p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f\n",
                micros(result.latency.at(0.5)), micros(result.latency.at(0.9)),
                micros(result.latency.at(0.99)), micros(result.latency.at(0.999)),
                micros(result.latency.max()));
  }
  if (result.cpu) {
    std::printf("  broker CPU         %12.2f s", seconds(result.cpu->cpu));
    if (units > 0)
      std::printf(", %.3f us each", micros(result.cpu->cpu) / static_cast<double>(units));
    std::printf("\n  broker memory      %12.1f MiB\n",
                static_cast<double>(result.cpu->rss_bytes) / 1048576.0);
  }
  if (result.bytes_per_connection) {
    std::printf("  bytes a connection %12lld (%llu connections)\n",
                static_cast<long long>(*result.bytes_per_connection),
                static_cast<unsigned long long>(result.connected));
  }
}

void print_json(const BenchOptions& options, const LoadResult& result) {
  const uint64_t units = units_of(options, result);
  std::printf(
      "{\"pattern\":\"%s\",\"qos\":%d,\"payload_bytes\":%u,\"seconds\":%.3f,"
      "\"sent\":%llu,\"delivered\":%llu,\"connects\":%llu,\"connected\":%llu,"
      "\"lost\":%llu,\"duplicated\":%llu,\"out_of_order\":%llu",
      options.pattern_name.c_str(), static_cast<int>(options.qos), options.payload_bytes,
      seconds(result.measured), static_cast<unsigned long long>(result.sent),
      static_cast<unsigned long long>(result.delivered),
      static_cast<unsigned long long>(result.connects),
      static_cast<unsigned long long>(result.connected),
      static_cast<unsigned long long>(result.verdict.lost),
      static_cast<unsigned long long>(result.verdict.duplicated),
      static_cast<unsigned long long>(result.verdict.out_of_order));
  if (result.latency.count() > 0) {
    std::printf(
        ",\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
        "\"max\":%.1f}",
        micros(result.latency.at(0.5)), micros(result.latency.at(0.9)),
        micros(result.latency.at(0.99)), micros(result.latency.at(0.999)),
        micros(result.latency.max()));
  }
  if (result.cpu) {
    std::printf(",\"cpu_seconds\":%.2f,\"rss_bytes\":%llu", seconds(result.cpu->cpu),
                static_cast<unsigned long long>(result.cpu->rss_bytes));
    if (units > 0) {
      std::printf(",\"cpu_us_each\":%.3f", micros(result.cpu->cpu) / static_cast<double>(units));
    }
  }
  if (result.bytes_per_connection) {
    std::printf(",\"bytes_per_connection\":%lld",
                static_cast<long long>(*result.bytes_per_connection));
  }
  std::printf("}\n");
}

bool keeps_promises(const BenchOptions& options, const LoadResult& result) {
  const bench::Verdict& verdict = result.verdict;
  if (verdict.out_of_order != 0) return false;
  if (options.qos != Qos::k0 && verdict.lost != 0) return false;
  return options.qos == Qos::k1 || verdict.duplicated == 0;
}

}  // namespace

int run_bench(int argc, const char* const* argv) {
  const auto parsed = bench::bench_options_of(argc, argv);
  if (const auto* const usage = std::get_if<ClientUsage>(&parsed)) {
    std::fprintf(usage->status == 0 ? stdout : stderr, "%s%s\n",
                 usage->status == 0 ? "" : "shoal bench: ", usage->text.c_str());
    return usage->status;
  }
  const auto& options = std::get<BenchOptions>(parsed);
  const LoadResult result = bench::Load(options).run();
  if (!result.problem.empty()) {
    std::fprintf(stderr, "shoal bench: %s\n", result.problem.c_str());
    return 1;
  }
  if (options.json) {
    print_json(options, result);
  } else {
    print_table(options, result);
  }
  return keeps_promises(options, result) ? 0 : 1;
}

}  // namespace shoal
