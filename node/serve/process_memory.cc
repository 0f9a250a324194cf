#include "node/serve/process_memory.h"

#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <span>

namespace shoal {
namespace {

using Object = dl_phdr_info;

std::span<const ElfW(Phdr)> headers_of(const Object& object) {
  return {object.dlpi_phdr, object.dlpi_phnum};
}

// Its text was written when it was loaded, so the file has something else.
bool has_relocated_text(const Object& object) {
  for (const ElfW(Phdr) & header : headers_of(object)) {
    if (header.p_type != PT_DYNAMIC) continue;
    const auto* each = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + header.p_vaddr);
    for (; each->d_tag != DT_NULL; ++each) {
      if (each->d_tag == DT_TEXTREL) return true;
      if (each->d_tag == DT_FLAGS && (each->d_un.d_val & DF_TEXTREL) != 0) return true;
    }
  }
  return false;
}

// Whole pages of segments that nobody can have written: what was relocated and protected after that
// (PT_GNU_RELRO) is in writable ones.
int give_back_pages_of(Object* object, size_t, void*) {
  const bool is_file = object->dlpi_addr != ::getauxval(AT_SYSINFO_EHDR);
  if (!is_file || has_relocated_text(*object)) return 0;
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (const ElfW(Phdr) & header : headers_of(*object)) {
    if (header.p_type != PT_LOAD || (header.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (object->dlpi_addr + header.p_vaddr + page - 1) & ~(page - 1);
    const uintptr_t end = (object->dlpi_addr + header.p_vaddr + header.p_filesz) & ~(page - 1);
    if (begin >= end) continue;
    // Where it cannot be (locked memory) all stays as it is.
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

uint64_t resident_bytes() {
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

void give_back_program_pages() { ::dl_iterate_phdr(give_back_pages_of, nullptr); }

}  // namespace shoal
