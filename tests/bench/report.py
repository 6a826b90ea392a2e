"""Prints what a benchmark found."""

import statistics

TITLES = {
    "exempt": "all clients exempt by rule",
    "known": "90 % known clients, 10 % strangers",
    "strangers": "each message from a new network",
    "retries": "1,000 triplets that come again",
    "fifty": "a new network each, 50 recipients a message",
}
REFERENCE = "null"

# Wanted at least: sessions per second against the null milter.
BUDGET = {"exempt": 1.3, "known": 1.2, "strangers": 1.0}

AT_NETWORKS = 1000000  # the size at which the limits of memory hold

HEAD = ("", "sessions/s", "ratio", "(min-max)", "p50", "p99", "p99.9",
        "milter", "Redis", "accepted", "deferred")
LINE = "{:<15}{:>11}{:>8}{:>12}{:>8}{:>8}{:>8}{:>8}{:>8}{:>10}{:>10}"


def ratios(rounds, reference):
    """Of each round to the reference in the same round."""
    return [mine["rate"] / other["rate"] if other["rate"] else 0.0
            for mine, other in zip(rounds, reference)]


def median(rounds, key):
    return statistics.median(one[key] for one in rounds)


def share(rounds, *outcomes):
    sessions = sum(one["sessions"] for one in rounds) or 1
    return sum(one[name] for one in rounds for name in outcomes) / sessions


def line(name, rounds, reference):
    against = ratios(rounds, reference)
    redis = [one["redis_us"] for one in rounds]
    return LINE.format(
        name, f"{median(rounds, 'rate'):,.0f}",
        f"{statistics.median(against):.2f}",
        f"{min(against):.2f}-{max(against):.2f}",
        *(f"{median(rounds, key):,.0f}"
          for key in ("p50_us", "p99_us", "p999_us", "milter_us")),
        "-" if None in redis else f"{statistics.median(redis):,.1f}",
        f"{share(rounds, 'accepted', 'continued'):.0%}",
        f"{share(rounds, 'deferred'):.0%}")


def trouble(name, rounds):
    """Sessions that went wrong in some way: a benchmark has none."""
    return [f"    {name}: {sum(one[key] for one in rounds)} sessions {key}"
            for key in ("refused", "broken", "stalled")
            if any(one[key] for one in rounds)]


def show_mixes(mixes):
    print(LINE.format(*HEAD))
    for (mix, concurrency), case in mixes.items():
        every = [one for rounds in case.values() for one in rounds]
        print(f"\n{mix}: {TITLES[mix]}; {concurrency} sessions at once "
              f"(the generator: {median(every, 'own_cpu_us'):.0f} us each)")
        for name, rounds in case.items():
            print(line(name, rounds, case[REFERENCE]))
        for name, rounds in case.items():
            for text in trouble(name, rounds):
                print(text)


def show_budget(mixes):
    rows = [(mix, concurrency, name, statistics.median(
             ratios(rounds, case[REFERENCE])))
            for (mix, concurrency), case in mixes.items() if mix in BUDGET
            for name, rounds in case.items() if name.startswith("defer")]
    if rows:
        print("\nRatios, and what they should be at least:")
    for mix, concurrency, name, ratio in rows:
        verdict = "" if ratio >= BUDGET[mix] else "   below"
        print(f"  {mix:<10} {concurrency:>4} at once  {name:<14}"
              f"{ratio:6.2f} of {BUDGET[mix]:.1f}{verdict}")


def show_redis(results, levels):
    one, many = levels
    print(f"\nCPU of Redis, us per session of strangers, at {one} and {many} "
          "sessions at once:")
    for name, (alone, crowded) in results.items():
        print(f"  {name:<15}{alone:>7.1f}{crowded:>7.1f}"
              f"   ({crowded / alone if alone else 0:.2f})")


def show_memory(found):
    print(f"\nMemory of Redis at {found['networks']:,} client networks, "
          f"{found['triplets']:,} triplets:")
    for key, text, most in (
            ("network_seen_once", "a network seen once, its rate window"
             " included", 330),
            ("further_triplet", "a further triplet", 30),
            ("network_with_all", "a network with all its triplets", None)):
        judged = most is not None and found["networks"] >= AT_NETWORKS
        limit = f" (at most {most})" if judged else ""
        print(f"  {found[key]:>6.1f} octets  {text}{limit}")
    if found["keys_without_ttl"]:
        print(f"  {found['keys_without_ttl']} keys have no TTL")


def show(results, options, redis_levels):
    print(f"Sessions through {options.until.upper()}; medians of "
          f"{options.rounds} rounds of {options.seconds} s; ratio to the null "
          "milter of the same round.\n"
          "p50, p99, p99.9: microseconds until the deciding answer; milter, "
          "Redis: CPU microseconds\nper session.\n")
    show_mixes(results["mixes"])
    show_budget(results["mixes"])
    show_redis(results["redis"], redis_levels)
    if "memory" in results:
        show_memory(results["memory"])
