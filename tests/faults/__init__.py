"""What must hold when something fails, breaks or attacks, tried on real processes. The rows, and where each is:

1 web server killed                 test_intake, test_kills     20 broker away                  test_broker, test_queue
2 duplicates                        test_intake, test_kills     21 broker full                  test_broker, test_queue
3 two at once                       test_intake                 22 schedule started twice       test_schedule
4 any order                         test_intake                 23 left by a dead worker        test_broker
5 replayed signature                test_intake                 24 backlog and a question       test_kills
6 wrong signature                   test_intake                 25 database killed              test_kills
7 bodies too long                   test_bodies                 26 database stands still        test_database
8 compression bombs                 test_bodies                 27 disk full                    test_disk
9, 10 broken and bent JSON          test_bodies                 29 no connection left           test_database
11 naughty texts                    test_bodies                 31 backup and restore           test_restore
12 slow clients                     test_bodies                 32 tampered audit log           test_audit_log
13 flooding source                  test_intake                 54 strangers' sockets           test_sockets
14 clocks                           test_clock                  55 access that ends             test_sockets
16 killed at each point             test_points, test_queue     56 sockets that misbehave       test_sockets
17 task that kills its worker       test_queue                  57 events while away            test_sockets
18 worker stands still              test_points                 58 every address                test_sockets
19 broker killed                    test_kills, test_queue      59 forms of other sites         test_sockets

Elsewhere, against a provider that speaks the real protocol badly: 33 down, refusing, busy, untrusted, 34 silent or dripping, 35 cut, 39 refusal,
nothing, another language, no evidence (tests/copilot/llm/test_chat_faults, test_chat_model, test_untrusted_provider); 44 a storm of
5,000 incidents (tests/copilot/answers/test_line); 40 markup and addresses, 41 escape and hidden codes, in the words of a model that repeats
injected telemetry (tests/copilot/answers/corpus/test_injections), 40 also in a real browser with a canary (tests/journeys/test_hostile_answers_stay_inert);
42 injections against five models (tests/copilot/management/evaluations/test_safety); 43 false causes (tests/copilot/evidence/test_false_causes);
45 the prompt's own bytes, 46, 47 planted secrets and personal data (tests/copilot/llm/test_provider_bytes, tests/copilot/management/evaluations/test_masking);
48 the provider's key (tests/copilot/llm/test_provider_key, test_providers);
36 malformed calls of tools, 37 endless loops, 38 results too large (tests/copilot/answers/investigation/test_loop); 52 addresses in arguments,
53 queries in values (there, test_tools).
"""
