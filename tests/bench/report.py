"""Prints what a benchmark found."""

import statistics

from through import ALONE

TITLES = {
    "exempt": "all clients exempt by rule",
    "known": "90 % known clients, 10 % strangers",
    "strangers": "each message from a new network",
    "retries": "1,000 triplets that come again",
    "fifty": "a new network each, 50 recipients a message",
}
REFERENCES = "null", "quiet"
ONE_TRIP = "null + Redis"  # asks Redis for one INCR

HEAD = ("", "sessions/s", "to null", "to quiet", "(min-max)", "p50", "p99",
        "p99.9", "milter", "faults", "Redis", "accepted", "deferred")
LINE = ("{:<15}{:>11}{:>9}{:>9}{:>12}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}"
        "{:>10}{:>10}")


def ratios(rounds, reference):
    """Of each round to the reference in the same round."""
    return [mine["rate"] / other["rate"] if other["rate"] else 0.0
            for mine, other in zip(rounds, reference)]


def median(rounds, key):
    return statistics.median(one[key] for one in rounds)


def share(rounds, *outcomes):
    sessions = sum(one["sessions"] for one in rounds) or 1
    return sum(one[name] for one in rounds for name in outcomes) / sessions


def line(name, case):
    rounds = case[name]
    redis = [one["redis_us"] for one in rounds]
    against = [ratios(rounds, case[reference]) if reference in case else [0.0]
               for reference in REFERENCES]
    return LINE.format(
        name, f"{median(rounds, 'rate'):,.0f}",
        *(f"{statistics.median(each):.2f}" for each in against),
        f"{min(against[-1]):.2f}-{max(against[-1]):.2f}",
        *(f"{median(rounds, key):,.0f}"
          for key in ("p50_us", "p99_us", "p999_us", "milter_us")),
        f"{median(rounds, 'faults'):.2f}",
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
            print(line(name, case))
        for name, rounds in case.items():
            for text in trouble(name, rounds):
                print(text)


def show_ratios(mixes):
    """All ratios to the quiet milter in one place."""
    print("\nRatios to the quiet milter:")
    for (mix, concurrency), case in mixes.items():
        cells = []
        for name, rounds in case.items():
            if name not in REFERENCES:
                ratio = statistics.median(ratios(rounds, case["quiet"]))
                cells.append(f"{name} {ratio:.2f}")
        print(f"  {mix:<10}{concurrency:>4} at once   {'   '.join(cells)}")


DNS_TITLES = {
    "again": "answers are there: the same 512 clients again and again",
    "strangers": "answers are not there: each client is new",
}
DNS_LINE = "  {:<16}{:>11}{:>11}{:>8}{:>8}{:>8}{:>8}{:>11}"


def show_dns(results, options):
    """What lists cost, beside the same policy without them."""
    print(f"Four DNS lists; medians of {options.rounds} rounds of "
          f"{options.seconds} s; rates as ratios to the same\npolicy without "
          "lists in the same round; microseconds until the deciding answer,\n"
          "and of CPU of the milter for a session.")
    for mix, (case, questions) in results.items():
        sessions = sum(one["started"] for name, rounds in case.items()
                       for one in rounds if name.startswith("lists"))
        print(f"\n{DNS_TITLES[mix]}; {questions / sessions:.2f} questions "
              "a session")
        print(DNS_LINE.format("", "sessions/s", "rate", "p50", "p99", "CPU",
                              "CPU", "deferred"))
        for name, rounds in case.items():
            reference = case[name.replace("lists", "defer")]
            cpu = statistics.median(
                mine["milter_us"] / other["milter_us"]
                for mine, other in zip(rounds, reference))
            print(DNS_LINE.format(
                name, f"{median(rounds, 'rate'):,.0f}",
                f"{statistics.median(ratios(rounds, reference)):.3f}",
                *(f"{median(rounds, key):,.0f}"
                  for key in ("p50_us", "p99_us", "milter_us")),
                f"{cpu:.3f}", f"{share(rounds, 'deferred'):.0%}"))
            for text in trouble(name, rounds):
                print(text)


def show_redis(results, levels):
    print("\nRedis for a session of strangers, at "
          f"{' and '.join(map(str, levels))} at once: CPU us, the same in trips\n"
          "of a single INCR, commands:")
    trips = results[ONE_TRIP]
    for name, found in results.items():
        cells = ""
        for (cpu_us, commands), (trip_us, _) in zip(found, trips):
            share = cpu_us / trip_us if trip_us else 0
            cells += f"{cpu_us:>9.1f}{share:>7.2f}{commands:>7.1f}"
        print(f"  {name:<15}{cells}")


def show_memory(found):
    print(f"\nMemory of Redis at {found['networks']:,} client networks, "
          f"{found['triplets']:,} triplets:")
    for key, text in (
            ("network_seen_once", "a network seen once, with all its keys"),
            ("further_triplet", "a further triplet"),
            ("network_with_all", "a network with all its triplets")):
        print(f"  {found[key]:>6.1f} octets  {text}")
    if found["keys_without_ttl"]:
        print(f"  {found['keys_without_ttl']} keys have no TTL")


def show(results, options, redis_levels):
    print(f"Sessions through {options.until.upper()}; medians of "
          f"{options.rounds} rounds of {options.seconds} s; ratios to the null\n"
          "and the quiet milter of the same round (min-max: to the quiet one).\n"
          "p50, p99, p99.9: microseconds until the deciding answer; milter, "
          "Redis: CPU microseconds\nper session; faults: page faults of the "
          "milter per session.\n")
    show_mixes(results["mixes"])
    if all("quiet" in case for case in results["mixes"].values()):
        show_ratios(results["mixes"])
    show_redis(results["redis"], redis_levels)
    if "memory" in results:
        show_memory(results["memory"])


def spread(values, form):
    return (f"{statistics.median(values):{form}} "
            f"({min(values):{form}}-{max(values):{form}})")


def peer_rows(found, name):
    """(heading, cell) of one contender: to null, and to Postfix alone."""
    for (_, at_once), case in found["mixes"].items():
        if name in case:
            yield f"milter, {at_once}", spread(
                ratios(case[name], case["null"]), ".2f")
            yield f"CPU us, {at_once}", spread(
                [one["milter_us"] for one in case[name]], ".0f")
    for at_once, case in found.get("through", {}).items():
        if name not in case:
            continue
        alone = case[ALONE]
        yield f"Postfix, {at_once}", spread(ratios(case[name], alone), ".2f")
        yield f"added, {at_once}", spread(
            [mine["p50_ms"] - other["p50_ms"]
             for mine, other in zip(case[name], alone)], ".1f")


def show_peers(results, options):
    print("Strangers, each deferred: sessions per second as a ratio, median of "
          f"{options.rounds} rounds\n(min-max).  milter: over the milter "
          "protocol, to the null milter; Postfix: through a real\nPostfix, to "
          "Postfix that says 451 by itself; added: milliseconds from MAIL to "
          "the reply;\nCPU: of the filter for a session.  The number is of "
          "sessions at once.")
    for found, title in zip(results, (
            "Empty", f"With {options.triplets:,} triplets stored")):
        tables = {}
        names = list(next(iter(found["mixes"].values())))
        for case in found.get("through", {}).values():
            names += [name for name in case
                      if name not in names and name != ALONE]
        for name in names:
            tables[name] = dict(peer_rows(found, name))
        columns = max(tables.values(), key=len)
        print(f"\n{title}:\n{'':<16}" + "".join(f"{c:>18}" for c in columns))
        for name, cells in tables.items():
            print(f"{name:<16}" + "".join(
                f"{cells.get(column, '-'):>18}" for column in columns))
