//! What code may name and still be harmless, by language.

/// How a language is written, and the names that do no harm in it.
pub(super) struct Language {
    pub(super) name: &'static str,
    /// Marks of variables.
    pub(super) sigils: &'static [char],
    /// Comments.
    pub(super) hash: bool,
    pub(super) slashes: bool,
    /// Whether `/…/` is a pattern.
    pub(super) patterns: bool,
    /// Whether a name alone calls what it names.
    pub(super) bare_calls: bool,
    /// Whether `}` may end a block, behind which `(` begins something new.
    pub(super) blocks: bool,
    pub(super) keywords: &'static [&'static str],
    pub(super) imports: &'static [&'static str],
    pub(super) modules: &'static [&'static str],
    pub(super) functions: &'static [&'static str],
    pub(super) members: &'static [&'static str],
    /// Names that the language gives a meaning which is not harmless, where a name alone calls nothing.
    pub(super) never: &'static [&'static str],
    /// Names of which only members may be used.
    pub(super) holders: &'static [&'static str],
    /// Names that are harmless, but not in one text.
    pub(super) pairs: &'static [(&'static str, &'static str)],
}

/// Whether a sorted list holds that name.
pub(super) fn listed(list: &[&str], name: &str) -> bool {
    list.binary_search(&name).is_ok()
}

/// The language of that name.
pub(super) fn of(name: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.name == name)
}

const LANGUAGES: &[Language] = &[PYTHON, PERL, RUBY, JAVASCRIPT, PHP, LUA, R];

#[rustfmt::skip]
const PYTHON: Language = Language {
    name: "python", sigils: &[], hash: true, slashes: false, patterns: false, bare_calls: false, blocks: false,
    keywords: &[
        "False", "None", "True", "_", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
        "finally", "for", "global", "if", "in", "is", "lambda", "match", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with",
        "yield",
    ],
    imports: &[
        "from", "import",
    ],
    // Of these every member is judged by its own name.
    modules: &[
        "argparse", "array", "base64", "binascii", "bisect", "calendar", "cmath", "collections", "colorsys", "configparser", "copy", "csv",
        "dataclasses", "datetime", "decimal", "difflib", "enum", "errno", "fractions", "functools", "getpass", "glob", "hashlib", "heapq", "hmac",
        "html",  "ipaddress", "itertools", "json", "keyword", "locale", "math", "np", "numpy", "operator", "os", "pandas", "pathlib",
        "pd", "platform", "pprint", "random", "re", "secrets", "statistics", "string", "struct", "sys", "sysconfig", "textwrap", "time", 
        "tomllib", "traceback", "typing", "unicodedata", "uuid", "yaml", "zlib", "zoneinfo",
    ],
    functions: &[
        "Counter", "Decimal", "Exception", "Fraction", "ImportError", "IndexError", "KeyError", "OrderedDict", "Path", "TypeError", "ValueError",
        "abs", "all", "any", "ascii", "bin", "bool", "bytearray", "bytes", "callable", "choice", "chr", "complex", "date", "datetime",
        "defaultdict", "dict", "divmod", "enumerate", "exit", "filter", "float", "format", "frozenset", "hash", "hex", "id", "int", "isinstance",
        "issubclass", "iter", "len", "list", "map", "max", "min", "namedtuple", "next", "object", "oct", "ord", "pow", "pprint", "print", "quit",
        "randint", "range", "reduce", "repr", "reversed", "round", "set", "slice", "sorted", "sqrt", "str", "sum", "super", "timedelta", "tuple",
        "type", "zip",
    ],
    members: &[
        "Counter", "Decimal", "DictReader", "Fraction", "JSONDecodeError", "OrderedDict", "Path", "PurePath", "UTC", "YAMLError", "ZoneInfo", "abs",
        "abspath", "accumulate", "add", "append", "architecture", "argv", "array", "as_integer_ratio", "as_posix", "ascii_letters",
        "ascii_lowercase", "ascii_uppercase", "astimezone", "b64decode", "b64encode", "basename", "bisect_left", "bisect_right", "bit_length",
        "blake2b", "buffer", "byteorder", "cache", "calcsize", "capitalize", "ceil", "center", "chain", "choice", "choices", "clear", "close",
        "columns", "comb", "combinations", "common", "commonpath", "compile", "compress", "copy", "cos", "count", "cpu_count", "crc32", "ctime",
        "curdir", "cwd", "cycle", "data", "date", "datetime", "day", "day_name", "days", "decode", "decompress", "dedent", "deepcopy", "defaultdict",
        "deque", "describe", "dict", "digest", "digits", "dirname", "divmod", "dtypes", "dump", "dumps", "elements", "encode", "endswith", "escape",
        "executable", "exists", "exit", "exp", "expandtabs", "expanduser", "extend", "fabs", "factorial", "fill", "find", "findall", "finditer",
        "flags", "float", "floor", "flush", "format", "from_bytes", "fromhex", "fromisoformat", "fromkeys", "fromtimestamp", "fsum", "fullmatch",
        "gcd", "get", "get_close_matches", "getcwd", "getdefaultencoding", "getlocale", "getmtime", "getpid", "getsize", "getsizeof", "glob",
        "group", "groupby", "groupdict", "groups", "head", "heapify", "heappop", "heappush", "hex", "hexdigest", "hexdigits", "hexlify", "home",
        "hour", "hypot", "implementation", "indent", "index", "inf", "info", "insert", "insort", "int", "ip_address", "ip_network", "is_dir",
        "is_file", "is_integer", "is_private", "isabs", "isalnum", "isalpha", "isdecimal", "isdigit", "isdir", "isfile", "isleap", "islice",
        "islink", "islower", "isna", "isnan", "isnull", "isnumeric", "isocalendar", "isoformat", "isspace", "isupper", "itemgetter", "items",
        "iterdir", "iterrows", "itertuples", "join", "keys", "lcm", "len", "linesep", "linspace", "listdir", "ljust", "load", "loads", "log",
        "log10", "log2", "lower", "lru_cache", "lstrip", "machine", "maketrans", "match", "max", "maxsize", "md5", "mean", "median", "microsecond",
        "min", "minute", "mode", "monotonic", "month", "month_name", "monthcalendar", "monthrange", "months", "most_common", "name", "namedtuple",
        "nan", "ndarray", "nlargest", "normpath", "now", "nsmallest", "ones", "pack", "pardir", "parent", "parents", "partial", "partition", "parts",
        "path", "perf_counter", "permutations", "pi", "platform", "pop", "popleft", "pow", "pprint", "prec", "printable", "prod", "product",
        "punctuation", "python_version", "quantize", "quote", "radians", "randint", "randn", "random", "randrange", "read", "read_bytes",
        "read_text", "reader", "readline", "readlines", "realpath", "reduce", "relative_to", "release", "relpath", "repeat", "replace", "resolve",
        "reverse", "rfind", "rglob", "rjust", "round", "rpartition", "rsplit", "rstrip", "safe_load", "safe_load_all", "sample", "scandir", "search",
        "second", "seconds", "sections", "seed", "sep", "setdefault", "sha1", "sha256", "sha384", "sha512", "shape", "shuffle", "sin", "size",
        "sort", "sort_values", "split", "splitext", "splitlines", "sqrt", "st_mtime", "st_size", "starmap", "startswith", "stat", "std", "stderr",
        "stdev", "stdin", "stdout", "stem", "strftime", "string", "strip", "strptime", "sub", "subn", "suffix", "sum", "swapcase", "tail", "tan",
        "time", "timedelta", "timestamp", "timezone", "title", "to_bytes", "to_dict", "today", "token_hex", "token_urlsafe", "tolist", "total",
        "total_seconds", "translate", "trunc", "uname", "unescape", "unhexlify", "unified_diff", "uniform", "unique", "unpack", "update", "upper",
        "utc", "utcfromtimestamp", "utcnow", "uuid1", "uuid4", "uuid5", "value_counts", "values", "var", "variance", "version", "version_info",
        "walk", "week", "weekday", "whitespace", "with_name", "with_suffix", "wrap", "write", "writelines", "year", "years", "zeros", "zfill",
        "zip_longest",
    ],
    never: &[
        "allow_pickle", "breakpoint", "builtins", "compile", "copyright", "credits", "delattr", "dir", "eval", "exec", "execfile", "file", "getattr", "globals",
        "help", "input", "license", "locals", "memoryview", "open", "raw_input", "reload", "setattr", "shutil", "subprocess", "vars",
    ],
    holders: &[], pairs: &[("yaml", "load"), ("pathlib", "replace"), ("Path", "replace"), ("os", "replace"), ("os", "write")],
};

#[rustfmt::skip]
const PERL: Language = Language {
    name: "perl", sigils: &['$', '@', '%'], hash: true, slashes: false, patterns: true, bare_calls: true, blocks: true,
    keywords: &[
        "BEGIN", "END", "and", "cmp", "else", "elsif", "eq", "for", "foreach", "ge", "grep", "gt", "if", "join", "last", "le", "local", "lt", "map",
        "my", "ne", "next", "not", "or", "our", "print", "printf", "push", "redo", "return", "say", "sort", "split", "sub", "unless", "until",
        "while", "x", "xor",
    ],
    imports: &[
        "no", "require", "use",
    ],
    modules: &[
        "bigint", "feature", "integer", "strict", "utf8", "v5", "warnings",
    ],
    functions: &[
        "ARGS", "ARGV", "ENV", "F", "STDERR", "STDIN", "STDOUT", "_", "a", "abs", "atan2", "b", "binmode", "chomp", "chop", "chr", "cos", "defined",
        "delete", "die", "each", "eof", "exists", "exit", "exp", "gmtime", "hex", "i", "index", "int", "keys", "lc", "lcfirst", "length",
        "localtime", "log", "n", "oct", "ord", "pack", "pop", "pos", "quotemeta", "rand", "reverse", "rindex", "scalar", "shift", "sin", "splice",
        "sprintf", "sqrt", "srand", "substr", "time", "uc", "ucfirst", "undef", "unpack", "unshift", "values", "wantarray", "warn",
    ],
    members: &[],
    never: &["ARGV", "INC", "SIG"],
    holders: &[], pairs: &[],
};

#[rustfmt::skip]
const RUBY: Language = Language {
    name: "ruby", sigils: &['$', '@'], hash: true, slashes: false, patterns: true, bare_calls: true, blocks: true,
    keywords: &[
        "and", "begin", "break", "case", "def", "do", "else", "elsif", "end", "ensure", "false", "for", "if", "in", "next", "nil", "not", "or", "p",
        "pp", "print", "puts", "rescue", "return", "then", "true", "unless", "until", "when", "while", "yield",
    ],
    imports: &[
        "require",
    ],
    modules: &[
        "bigdecimal", "csv", "date", "digest", "json", "matrix", "pp", "prime", "securerandom", "set", "time",
    ],
    functions: &[
         "ARGV", "Array", "BigDecimal", "Comparable", "Date", "DateTime", "Digest", "ENV", "Float", "Hash", "Integer", "JSON", "Math", "PI",
        "Prime", "RUBY_PLATFORM", "RUBY_VERSION", "Random", "Rational", "STDIN", "STDOUT", "SecureRandom", "Set", "String", "Time", "_1", "exit",
        "format", "gets", "it", "lambda", "loop", "printf", "proc", "raise", "rand", "sleep", "sprintf", "srand",
    ],
    members: &[
        "MD5", "PI", "SHA1", "SHA256", "abs", "all", "any", "append", "average", "between", "bytes", "capitalize", "ceil", "chars", "chomp", "chop",
        "chr", "clamp", "collect", "compact", "concat", "cos", "count", "cycle", "day", "delete_if", "dig", "digits", "divmod", "downcase",
        "downto", "drop", "each", "each_char", "each_cons", "each_line", "each_pair", "each_slice", "each_with_index", "each_with_object", "empty",
        "end_with", "entries", "even", "fetch", "filter", "filter_map", "find", "find_all", "first", "flat_map", "flatten", "floor", "freeze",
        "from_json", "gcd", "generate", "group_by", "gsub", "has_key", "hex", "hexdigest", "hour", "include", "index", "inject", "inspect", "is_a",
        "iso8601", "join", "key", "keys", "last", "lcm", "length", "lines", "ljust", "log", "lstrip", "map", "match", "max", "max_by", "merge",
        "min", "min_by", "minmax", "minute", "month", "none", "now", "odd", "ord", "parse", "partition", "pop", "pow", "pretty_generate", "prime",
        "push", "rand", "read", "reduce", "reject", "repeated_combination", "reverse", "rindex", "rjust", "rotate", "round", "rstrip", "sample",
        "scan", "select", "shift", "shuffle", "sin", "size", "slice", "sort", "sort_by", "split", "sqrt", "squeeze", "start_with", "step",
        "strftime", "strip", "sub", "sum", "swapcase", "take", "tally", "times", "to_a", "to_f", "to_h", "to_i", "to_json", "to_s", 
        "today", "tr", "transform_keys", "transform_values", "transpose", "truncate", "uniq", "unpack", "upcase", "upto", "utc", "uuid", "values",
        "year", "zero", "zip",
    ],
    never: &[],
    holders: &[], pairs: &[],
};

#[rustfmt::skip]
const JAVASCRIPT: Language = Language {
    name: "javascript", sigils: &[], hash: false, slashes: true, patterns: true, bare_calls: false, blocks: true,
    keywords: &[
        "async", "await", "break", "case", "catch", "const", "continue", "default", "delete", "do", "else", "false", "finally", "for", "function",
        "if", "in", "instanceof", "let", "new", "null", "of", "return", "switch", "throw", "true", "try", "typeof", "undefined", "var", "void",
        "while", "yield",
    ],
    imports: &[
        "require",
    ],
    modules: &[
        "assert", "crypto", "events", "fs", "os", "path", "perf_hooks", "punycode", "querystring", "string_decoder", "url", "util", "zlib",
    ],
    functions: &[
        "Array", "BigInt", "Boolean", "Buffer", "Date", "Error", "Infinity", "Intl", "JSON", "Map", "Math", "NaN", "Number", "Object", "Promise",
        "RangeError", "RegExp", "Set", "String", "Symbol", "TextDecoder", "TextEncoder", "TypeError", "URL", "URLSearchParams", "Uint8Array",
        "atob", "btoa", "console", "decodeURI", "decodeURIComponent", "encodeURI", "encodeURIComponent", "isFinite", "isNaN", "parseFloat",
        "parseInt", "process", "setTimeout", "structuredClone",
    ],
    members: &[
        "E", "PI", "abs", "add", "alloc", "arch", "argv", "assign", "at", "basename", "byteLength", "catch", "ceil", "charAt", "charCodeAt",
        "codePointAt", "concat", "cpus", "createHash", "cwd", "data", "delete", "digest", "dirname", "endsWith", "entries", "env", "error", "every",
        "existsSync", "exit", "exp", "extname", "fill", "filter", "find", "findIndex", "flat", "flatMap", "floor", "forEach", "format", "freemem",
        "from", "fromCharCode", "fromEntries", "get", "getDate", "getDay", "getFullYear", "getHours", "getMinutes", "getMonth", "getSeconds",
        "getTime", "has", "hostname", "hrtime", "includes", "indexOf", "info", "inspect", "isArray", "isDirectory", "isFile", "isFinite",
        "isInteger", "isNaN", "join", "keys", "lastIndexOf", "length", "loadavg", "localeCompare", "log", "log10", "log2", "map", "match",
        "matchAll", "max", "memoryUsage", "message", "min", "mtime", "name", "node", "normalize", "now", "of", "on", "padEnd", "padStart", "parse",
        "pid", "platform", "pop", "pow", "push", "random", "randomBytes", "randomUUID", "readFileSync", "readdirSync", "reduce", "reduceRight",
        "relative", "release", "repeat", "replace", "replaceAll", "resolve", "reverse", "round", "search", "searchParams", "set", "shift", "sign",
        "size", "slice", "some", "sort", "splice", "split", "sqrt", "stack", "startsWith", "statSync", "stdin", "stdout", "stringify", "substr",
        "substring", "table", "test", "then", "toFixed", "toISOString", "toLocaleDateString", "toLocaleString", "toLowerCase", "toString",
        "toUpperCase", "totalmem", "trim", "trimEnd", "trimStart", "trunc", "type", "unshift", "update", "uptime", "v8", "value", "values",
        "version", "versions", "warn", "write",
    ],
    never: &[
        "AsyncFunction", "Bun", "Deno", "EventSource", "Function", "GeneratorFunction", "Module", "Proxy", "Reflect", "SharedArrayBuffer",
        "WebAssembly", "WebSocket", "Worker", "XMLHttpRequest", "arguments", "constructor", "eval", "exports", "fetch", "global", "globalThis",
        "import", "importScripts", "main", "module", "navigator", "prototype", "require", "self", "this", "window", "with",
    ],
    holders: &["process"], pairs: &[],
};

#[rustfmt::skip]
const PHP: Language = Language {
    name: "php", sigils: &['$'], hash: true, slashes: true, patterns: false, bare_calls: true, blocks: true,
    keywords: &[
        "FALSE", "NULL", "TRUE", "and", "array", "as", "break", "case", "continue", "default", "do", "echo", "else", "elseif", "empty", "false",
        "fn", "for", "foreach", "function", "if", "isset", "list", "null", "or", "print", "return", "switch", "true", "unset", "while",
    ],
    imports: &[],
    modules: &[],
    functions: &[
        "JSON_PRETTY_PRINT", "M_PI", "PHP_EOL", "PHP_INT_MAX", "PHP_OS", "PHP_VERSION", "abs", "array_column", "array_combine",
        "array_count_values", "array_diff", "array_fill", "array_flip", "array_intersect", "array_key_exists", "array_keys", "array_merge",
        "array_pop", "array_push", "array_rand", "array_reverse", "array_search", "array_shift", "array_slice", "array_sum", "array_unique",
        "array_values", "asort", "bin2hex", "ceil", "checkdate", "count", "crc32", "date", "date_default_timezone_get", "explode", 
         "filesize", "floatval", "floor", "fmod", "gettype", "hash", "hex2bin", "hexdec", "html_entity_decode",
        "htmlspecialchars", "implode", "in_array", "intdiv", "intval", "is_array", "is_dir", "is_file", "is_int", "is_null", "is_numeric",
        "is_string", "join", "json_decode", "json_encode", "json_last_error_msg", "ksort", "lcfirst", "ltrim", "max", "mb_strlen", "mb_strtolower",
        "mb_strtoupper", "mb_substr", "md5", "memory_get_usage", "microtime", "min", "mktime", "mt_rand", "nl2br", "number_format", "phpversion",
        "pi", "pow", "preg_match", "preg_match_all", "preg_quote", "preg_split", "print_r", "printf", "rand", "random_int", "range", "rawurldecode",
        "rawurlencode", "round", "rsort", "rtrim", "sha1", "sort", "sprintf", "sqrt", "str_contains", "str_pad", "str_repeat", "str_replace",
        "str_split", "str_starts_with", "str_word_count", "strcmp", "strlen", "strpos", "strrev", "strstr", "strtolower", "strtotime", "strtoupper",
        "strval", "substr", "substr_count", "time", "trim", "ucfirst", "ucwords", "uniqid", "urldecode", "urlencode", "usleep", "var_dump",
        "var_export", "wordwrap",
    ],
    members: &[],
    never: &[],
    holders: &[], pairs: &[],
};

#[rustfmt::skip]
const LUA: Language = Language {
    name: "lua", sigils: &[], hash: false, slashes: false, patterns: false, bare_calls: false, blocks: false,
    keywords: &[
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or",
        "repeat", "return", "then", "true", "until", "while",
    ],
    imports: &[],
    modules: &["io", "math", "os", "string", "table", "utf8"],
    functions: &[
        "assert", "error", "ipairs", "next", "pairs", "print", "select", "tonumber", "tostring", "type", "unpack",
    ],
    members: &[
        "abs", "acos", "asin", "atan", "byte", "ceil", "char", "clock", "codepoint", "concat", "cos", "date", "deg", "difftime", "exp",
        "find", "floor", "fmod", "format", "gmatch", "gsub", "huge", "insert", "len", "log", "lower", "match", "max", "maxinteger", "min",
        "mininteger", "modf", "pack", "pi", "rad", "random", "randomseed", "remove", "rep", "reverse", "sin", "sort", "sqrt", "sub", "tan",
        "time", "tointeger", "type", "ult", "unpack", "upper", "write",
    ],
    never: &[
        "_ENV", "_G", "arg", "collectgarbage", "coroutine", "debug", "dofile", "ffi", "getfenv", "getmetatable", "jit", "load", "loadfile",
        "loadstring", "module", "newproxy", "package", "pcall", "rawequal", "rawget", "rawlen", "rawset", "require", "setfenv",
        "setmetatable", "xpcall",
    ],
    holders: &["io", "math", "os", "string", "table", "utf8"],
    // Of a table it takes an entry, of the system a file.
    pairs: &[("os", "remove")],
};

#[rustfmt::skip]
const R: Language = Language {
    name: "r", sigils: &[], hash: true, slashes: false, patterns: false, bare_calls: true, blocks: false,
    keywords: &[
        "F", "FALSE", "Inf", "NA", "NULL", "NaN", "T", "TRUE", "break", "else", "for", "if", "in", "next", "repeat", "while",
    ],
    imports: &[],
    modules: &[],
    functions: &[
        "LETTERS", "abs", "all", "any", "as", "c", "cat", "ceiling", "colMeans", "colSums", "cor", "cos", "cumsum", "diff", "dim", "exp",
        "factorial", "floor", "format", "grepl", "gsub", "head", "identical", "is", "length", "letters", "list", "log", "log10", "log2",
        "matrix", "max", "mean", "median", "min", "month", "names", "nchar", "ncol", "nrow", "order", "outer", "paste", "paste0", "pi",
        "print", "prod", "quantile", "range", "rep", "rev", "round", "rowMeans", "rowSums", "sample", "sd", "seq", "seq_along", "seq_len",
        "sin", "sort", "sprintf", "sqrt", "strsplit", "sub", "substr", "sum", "summary", "t", "table", "tail", "tan", "tolower", "toupper",
        "trimws", "unique", "unlist", "var", "which",
    ],
    members: &[
        "character", "integer", "logical", "max", "min", "na", "numeric", "seed",
    ],
    never: &[],
    holders: &[],
    // `cat(x, file = y)` writes.
    pairs: &[("cat", "file"), ("print", "file")],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        for language in LANGUAGES {
            for list in [language.keywords, language.modules, language.functions, language.members] {
                let unsorted = list.windows(2).find(|pair| pair[0] >= pair[1]);
                assert!(unsorted.is_none(), "{}: {unsorted:?}", language.name);
            }
        }
    }
}
