#!/bin/sh
# 10,000 random payments with faults of nodes and stream, two processes on one database, one of them
# replaced half way: none may be credited wrongly, no raw may be lost.
start=$(date +%s)
PAY_RANDOM=10000 "${BUILD:-build}/tests/test_pay_random" >/dev/null 2>&1 || { echo "10,000 random payments: FAILED"; exit 1; }
echo "10,000 random payments with faults: 0 wrong, 0 lost, in $(($(date +%s) - start)) s"
