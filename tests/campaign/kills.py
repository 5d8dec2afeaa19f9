import time
from tests.campaign.frame import *
from tests.campaign.tiny import *
def t(rng, folder):
    write(Path("config.json"),CONFIG)
    write(Path("full.json"),changed(CONFIG,{**WRITER,"trainer.args.tensorboard":True,"trainer.args.samples":1}))
    for w in (TRAIN,TRAIN,("train.py","-c","full.json","--run-id","b","-d","cpu"),("experiments.py","-r","saved/models/tiny/b","-d","cpu","--text","ab","--steps","10"),("experiments.py","-r","saved/models/tiny/b","-d","cpu","--export","x.pth"),("experiments.py","-r","saved/models/tiny/b","-d","cpu","--evaluate")):
        t=time.time(); d_=run(w); print("TIME",time.time()-t)
FAMILIES=[Family("kills",2,t)]
