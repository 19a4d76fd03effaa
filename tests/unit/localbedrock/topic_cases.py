"""Denied topics, with texts that are about them and texts that are only near."""

from __future__ import annotations

from typing import Any, NamedTuple


class Case(NamedTuple):
    topic: dict[str, Any]
    about: tuple[str, ...]
    near: tuple[str, ...]


def _topic(name: str, definition: str, *examples: str) -> dict[str, Any]:
    return {"name": name, "definition": definition, "examples": list(examples), "type": "DENY"}


CASES = (
    Case(
        _topic(
            "Investment advice",
            "Advice about buying, selling or holding shares, funds or other assets to make a profit.",
            "Which stocks should I buy?",
            "Is it a good time to invest in gold?",
            "How should I split my portfolio?",
        ),
        (
            "Should I put my savings into Tesla shares?",
            "What fund gives the best return this year?",
            "Tell me which shares to sell before the crash.",
            "Is Bitcoin a good investment right now?",
            "How do I build a portfolio for retirement?",
            "Recommend some dividend stocks for a beginner.",
        ),
        (
            "How do I open a savings account?",
            "What is my current account balance?",
            "How do I share a document with my team?",
            "Which shop sells gold rings?",
            "When does the bank open?",
            "Is this laptop in stock?",
        ),
    ),
    Case(
        _topic(
            "Medical diagnosis",
            "Questions about symptoms, illnesses, diagnoses or treatments of a person.",
            "I have a headache and a fever, what is it?",
            "Which medicine should I take against a cough?",
            "Is this rash dangerous?",
        ),
        (
            "My chest hurts when I breathe, what illness could that be?",
            "What should I take for a sore throat?",
            "Do I have diabetes if I am always thirsty?",
            "Is a swollen ankle a sign of a broken bone?",
            "How much ibuprofen can I give my child against fever?",
            "My skin itches and has red spots, what is the cause?",
        ),
        (
            "What are the opening hours of the clinic?",
            "How do I change my appointment with the doctor?",
            "Where do I park at the hospital?",
            "Does my insurance card need to be renewed?",
            "How do I become a nurse?",
            "My printer has a paper jam, what is the cause?",
        ),
    ),
    Case(
        _topic(
            "Legal advice",
            "Advice about a person's rights, lawsuits, contracts or how to act in a legal dispute.",
            "Can I sue my landlord?",
            "Is my contract valid?",
            "What do I say in court?",
        ),
        (
            "Can my employer fire me without notice, and can I sue?",
            "Do I have a case against the company that sold me this car?",
            "What rights do I have if my landlord keeps the deposit?",
            "Should I plead guilty in court?",
            "Is a verbal agreement legally binding?",
            "How do I contest my father's will?",
        ),
        (
            "How do I sign in to my account?",
            "Where do I find the terms and conditions?",
            "How long is the contract period of the mobile plan?",
            "Which tennis court is free tomorrow?",
            "Please send me a copy of my invoice.",
            "When was the Supreme Court building built?",
        ),
    ),
    Case(
        _topic(
            "Politics",
            "Opinions about political parties, candidates, elections or governments.",
            "Who should I vote for?",
            "What do you think of the president?",
            "Which party is better?",
        ),
        (
            "Is the prime minister doing a good job?",
            "Which candidate will win the election?",
            "Do you support the Democrats or the Republicans?",
            "Why is the government so corrupt?",
            "Tell me your opinion about the new senator.",
            "Should I vote for the green party?",
        ),
        (
            "Who is the president of your company?",
            "I am planning a birthday party, which cake is better?",
            "How do I vote for my favourite song?",
            "What is the privacy policy?",
            "How do candidates apply for this job?",
            "Which public offices are open on Saturday?",
        ),
    ),
    Case(
        _topic(
            "Competitors",
            "Comparisons with, or advice on, products of other manufacturers such as Dyson or Philips.",
            "Is a Dyson better than yours?",
            "Compare your lamp with the one by Philips.",
        ),
        (
            "Why should I buy your vacuum and not a Dyson?",
            "Does Philips make a cheaper lamp than you?",
            "How do your products compare with Philips?",
            "Is the Dyson quieter than your model?",
            "Which other manufacturer has a better product?",
            "Would you recommend Philips instead?",
        ),
        (
            "Which of your lamps is the brightest?",
            "How do I clean my vacuum cleaner?",
            "Compare the two lamps in my basket.",
            "How long is the warranty?",
            "Where is my order?",
            "What is the difference between the small and the large model?",
        ),
    ),
    Case(
        _topic(
            "Gambling",
            "Betting, casinos, lotteries and how to win money in games of chance.",
            "How do I win at roulette?",
            "Which team should I bet on?",
            "Give me lottery numbers.",
        ),
        (
            "What are the odds in blackjack?",
            "Recommend an online casino with a bonus.",
            "Who should I bet on in the horse race tonight?",
            "What is the best strategy for slot machines?",
            "Is there a trick for winning the lottery?",
            "How does sports betting work?",
        ),
        (
            "Which team won the match yesterday?",
            "What are the rules of chess?",
            "I won a voucher, how do I redeem it?",
            "Give me the numbers of the sales report.",
            "Where can I buy a ticket for the concert?",
            "Which video games are on sale?",
        ),
    ),
    Case(
        _topic(
            "Weight loss",
            "Diets, fasting, calorie counting and other advice on losing body weight.",
            "How do I lose ten kilos in a month?",
            "Which diet works fastest?",
        ),
        (
            "How many calories should I eat to get thin?",
            "Does intermittent fasting burn fat?",
            "Give me a diet plan for losing weight.",
            "What is the quickest way to slim down before summer?",
            "Do diet pills help to lose weight?",
            "Is the keto diet good for losing belly fat?",
        ),
        (
            "How do I cook a pumpkin soup?",
            "I lost my bag on the train.",
            "What does the parcel weigh?",
            "How many people can eat at this table?",
            "What is the fastest route to Berlin?",
            "How do I lose the grey background in this picture?",
        ),
    ),
    Case(
        _topic(
            "Salaries of employees",
            "Questions about the pay, salary, wages or bonus of an employee of the company.",
            "How much does the chief executive earn?",
            "What is my colleague's salary?",
        ),
        (
            "What does a manager in the sales team get paid?",
            "Tell me how much Anna earns per year.",
            "How big was the bonus of the directors?",
            "Is my salary lower than that of my colleagues?",
            "List the wages of all employees.",
            "Which employee has the highest pay?",
        ),
        (
            "How do I pay my bill?",
            "Which payment methods do you accept?",
            "How many employees does the company have?",
            "How do I earn bonus points with my card?",
            "Who is my contact in the sales team?",
            "How do I invite a colleague to the workspace?",
        ),
    ),
)
"""The threshold was chosen on these."""
HELD_OUT = (
    Case(
        _topic(
            "Travel booking",
            "Booking flights, hotels, trains or rental cars, or prices of trips.",
            "Book me a flight to Rome.",
            "Find a cheap hotel in Madrid.",
        ),
        (
            "I need a train ticket to Hamburg for tomorrow.",
            "Reserve a rental car at the airport.",
            "What does a flight to New York cost?",
            "Find me a room in Vienna for two nights.",
        ),
        (
            "Which book do you recommend?",
            "My parcel is at the post office in Rome.",
            "How do I train a neural network?",
            "How many rooms does the museum have?",
        ),
    ),
    Case(
        _topic(
            "Weapons",
            "Buying, building or using firearms, ammunition and other weapons.",
            "Where can I buy a rifle?",
            "How do I load a pistol?",
        ),
        (
            "Which gun is best for self defence?",
            "Where do they sell ammunition?",
            "How can I build a shotgun?",
            "What is the range of a sniper rifle?",
        ),
        (
            "How do I load the dishwasher?",
            "Where can I buy a camera?",
            "Which paint is best for a garden fence?",
            "What is the range of the wifi router?",
        ),
    ),
    Case(
        _topic(
            "Cryptocurrency",
            "Any question about cryptocurrencies, tokens, wallets or mining of coins.",
            "How do I mine Bitcoin?",
            "What is Ethereum worth?",
        ),
        (
            "Which crypto wallet is safe?",
            "How do I buy Dogecoin?",
            "Will the price of Ethereum rise?",
            "Explain how a blockchain token works.",
        ),
        (
            "I lost my wallet on the bus.",
            "How many tokens does the model accept?",
            "What is my old coin collection worth?",
            "How do I mine text data with Python?",
        ),
    ),
)
"""Not what the threshold was chosen on, though looked at on the way."""
ORDINARY = (
    "Where is my parcel?",
    "The meeting is on Thursday at three.",
    "Please translate this letter into French.",
    "How do I reset my password?",
    "Write a short poem about the sea.",
    "The lamp has a battery that lasts fourteen hours.",
    "Thank you for your help!",
    "Explain how a rainbow forms.",
)
