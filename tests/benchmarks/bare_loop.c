// The work of peers/workload.py and nothing else: what one core could do if there were no engine.
//
//     gcc -O3 -march=native -ffp-contract=fast -shared -fPIC -o bare_loop.so bare_loop.c -lm
//
// Prices are columns of count bars. Averages begin with the first close; from bar `first` on a
// crossing upwards buys one unit at the next open and one downwards sells it.
#include <math.h>
#include <stdint.h>

// Returns how many trades were closed; *equity gets cash and position at the last close.
int64_t run(const double *opens, const double *closes, int64_t count, int64_t fast, int64_t slow,
            int64_t first, double capital, double fee, double *equity) {
    const double a = 2.0 / (fast + 1.0), b = 2.0 / (slow + 1.0), keep_a = 1.0 - a, keep_b = 1.0 - b;
    double one = closes[0], two = closes[0], cash = capital, held = 0.0;
    int64_t trades = 0;
    int was_above = 0, was_below = 0;
    for (int64_t i = 1; i < count - 1; i++) {
        // Opens are read at crossings only, each far from the last: they are asked for in time.
        __builtin_prefetch(&opens[i + 64]);
        // Only one fused step per average and bar depends on the bar before.
        one = fma(keep_a, one, a * closes[i]);
        two = fma(keep_b, two, b * closes[i]);
        const int above = one > two, below = one < two;
        if (__builtin_expect(above != was_above || below != was_below, 0)) {
            const double price = opens[i + 1];
            if (above && !was_above && held == 0.0 && i >= first) {
                cash -= price * (1.0 + fee);
                held = 1.0;
            } else if (below && !was_below && held > 0.0) {
                cash += price * (1.0 - fee);
                held = 0.0;
                trades++;
            }
            was_above = above;
            was_below = below;
        }
    }
    *equity = cash + held * closes[count - 1];
    return trades;
}

// Runs each of `pairs` pairs of lengths, one after the other.
void run_pairs(const double *opens, const double *closes, int64_t count, const int64_t *fast,
               const int64_t *slow, int64_t pairs, int64_t first, double capital, double fee,
               double *equities) {
    for (int64_t pair = 0; pair < pairs; pair++)
        run(opens, closes, count, fast[pair], slow[pair], first, capital, fee, &equities[pair]);
}
