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

// What CPU time is divided by. Of subscribers that are away: messages in their queues.
uint64_t units_of(const BenchOptions& options, const LoadResult& result) {
  if (options.pattern == Pattern::kConnect) return result.connects;
  if (!options.offline) return result.delivered;
  return result.acknowledged * (options.pattern == Pattern::kFanOut ? options.subscribers : 1);
}

unsigned long long plain(uint64_t value) { return value; }

double each(Duration cpu, uint64_t units) { return micros(cpu) / static_cast<double>(units); }

void print_rate(const char* what, uint64_t count, Duration span) {
  std::printf("  %-18s %12.0f /s\n", what, static_cast<double>(count) / seconds(span));
}

void print_latency(const char* what, const bench::Histogram& latency) {
  if (latency.count() == 0) return;
  std::printf("  %-18s p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f\n", what,
              micros(latency.at(0.5)), micros(latency.at(0.9)), micros(latency.at(0.99)),
              micros(latency.at(0.999)), micros(latency.max()));
}

void print_cpu(const char* what, const bench::ProcessStats& stats, uint64_t units) {
  std::printf("  %-18s %12.2f s", what, seconds(stats.cpu));
  if (units > 0) std::printf(", %.3f us each", each(stats.cpu, units));
  std::printf("\n");
}

void print_messages(const LoadResult& result) {
  print_rate("sent", result.sent, result.measured);
  if (result.acknowledged > 0) print_rate("acknowledged", result.acknowledged, result.measured);
  print_rate("delivered", result.delivered, result.measured);
  std::printf("  %-18s %12llu\n", "lost", plain(result.verdict.lost));
  std::printf("  %-18s %12llu\n", "duplicated", plain(result.verdict.duplicated));
  std::printf("  %-18s %12llu\n", "out of order", plain(result.verdict.out_of_order));
}

void print_table(const BenchOptions& options, const LoadResult& result) {
  std::printf("%s, QoS %d, %u byte payloads, %.1f s measured\n", options.pattern_name.c_str(),
              static_cast<int>(options.qos), options.payload_bytes, seconds(result.measured));
  if (options.pattern == Pattern::kConnect) {
    print_rate("connects", result.connects, result.measured);
  } else if (options.pattern != Pattern::kIdle) {
    print_messages(result);
  }
  print_latency("latency us", result.latency);
  print_latency("acknowledged us", result.ack_latency);
  if (result.cpu) {
    print_cpu("broker CPU", *result.cpu, units_of(options, result));
    std::printf("  %-18s %12.1f MiB\n", "broker memory",
                static_cast<double>(result.cpu->rss_bytes) / 1048576.0);
  }
  if (result.drain) {
    print_rate("drained", result.drain->delivered, result.drain->took);
    if (result.drain->cpu) {
      print_cpu("broker CPU of it", *result.drain->cpu, result.drain->delivered);
    }
  }
  if (result.bytes_per_connection) {
    std::printf("  bytes a connection %12lld (%llu connections)\n",
                static_cast<long long>(*result.bytes_per_connection), plain(result.connected));
  }
}

void print_latency_json(const char* name, const bench::Histogram& latency) {
  if (latency.count() == 0) return;
  std::printf(",\"%s\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", name,
              micros(latency.at(0.5)), micros(latency.at(0.9)), micros(latency.at(0.99)),
              micros(latency.at(0.999)), micros(latency.max()));
}

void print_drain_json(const bench::Drain& drain) {
  std::printf(",\"drain\":{\"delivered\":%llu,\"seconds\":%.3f", plain(drain.delivered),
              seconds(drain.took));
  if (drain.cpu) {
    std::printf(",\"cpu_seconds\":%.2f", seconds(drain.cpu->cpu));
    if (drain.delivered > 0) {
      std::printf(",\"cpu_us_each\":%.3f", each(drain.cpu->cpu, drain.delivered));
    }
  }
  std::printf("}");
}

void print_json(const BenchOptions& options, const LoadResult& result) {
  const uint64_t units = units_of(options, result);
  std::printf(
      "{\"pattern\":\"%s\",\"qos\":%d,\"payload_bytes\":%u,\"seconds\":%.3f,"
      "\"sent\":%llu,\"acknowledged\":%llu,\"delivered\":%llu,\"connects\":%llu,"
      "\"connected\":%llu,\"lost\":%llu,\"duplicated\":%llu,\"out_of_order\":%llu",
      options.pattern_name.c_str(), static_cast<int>(options.qos), options.payload_bytes,
      seconds(result.measured), plain(result.sent), plain(result.acknowledged),
      plain(result.delivered), plain(result.connects), plain(result.connected),
      plain(result.verdict.lost), plain(result.verdict.duplicated),
      plain(result.verdict.out_of_order));
  print_latency_json("latency_us", result.latency);
  print_latency_json("ack_latency_us", result.ack_latency);
  if (result.cpu) {
    std::printf(",\"cpu_seconds\":%.2f,\"rss_bytes\":%llu", seconds(result.cpu->cpu),
                plain(result.cpu->rss_bytes));
    if (units > 0) std::printf(",\"cpu_us_each\":%.3f", each(result.cpu->cpu, units));
  }
  if (result.drain) print_drain_json(*result.drain);
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
